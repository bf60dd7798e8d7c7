"""What servers and queries may hold never makes a lookup raise anything but its own errors."""

from __future__ import annotations

import asyncio
import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.clock import JumpClock

from pillarbox.backends.lookups.directory import messages as ldap_messages
from pillarbox.backends.lookups.directory.ber import BerError
from pillarbox.backends.lookups.directory.filters import FilterError, encode_filter
from pillarbox.backends.lookups.directory.query import parse_query as parse_ldap
from pillarbox.backends.lookups.directory.quoting import quote_dn, quote_filter, url_unquote
from pillarbox.backends.lookups.dns.query import parse_query as parse_dnsdb
from pillarbox.backends.lookups.driver import LookupWorld
from pillarbox.backends.lookups.psl import Rules, registered_start, suffix_start, to_unicode
from pillarbox.backends.lookups.redis import command_words, make
from pillarbox.backends.lookups.servers.listing import split_list
from pillarbox.backends.lookups.servers.resp import ProtocolError as RespError
from pillarbox.backends.lookups.servers.resp import RespConnection
from pillarbox.ports.lookups import LookupDefer

_FEW = settings(max_examples=60, deadline=None)
_URL_TEXT = st.text(
    st.sampled_from('ldapsi:/?=,&|!()*\\"% xu2ser') | st.characters(codec="utf-8"), max_size=60
)


@_FEW
@given(st.binary(max_size=80))
def test_ldap_messages_from_anywhere(data: bytes) -> None:
    for read in (ldap_messages.read_entry, ldap_messages.read_outcome, ldap_messages.read_urls):
        with contextlib.suppress(BerError):
            read(data)


@_FEW
@given(_URL_TEXT)
def test_ldap_queries_and_filters(text: str) -> None:
    with contextlib.suppress(LookupDefer):
        parse_ldap(text)
    with contextlib.suppress(FilterError):
        encode_filter(text)
    with contextlib.suppress(FilterError):
        encode_filter(f"({text})")


@_FEW
@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_what_ldap_quotes_is_one_value(text: str) -> None:
    assert encode_filter(f"(cn={url_unquote(quote_filter(text))})").endswith(text.encode())
    assert url_unquote(quote_dn(text)).replace("\\", "") == text.replace("\\", "")


@_FEW
@given(st.text(st.sampled_from(">:;,=+ abxmtsp._-1defer_nvstricl"), max_size=40))
def test_dnsdb_queries(text: str) -> None:
    with contextlib.suppress(LookupDefer):
        list(parse_dnsdb(text).names())


@_FEW
@given(st.lists(st.text(st.sampled_from("ab:c/"), min_size=1, max_size=6)))
def test_a_doubled_separator_is_one_character(items: list[str]) -> None:
    assert list(split_list(" : ".join([item.replace(":", "::") for item in items]))) == items


@_FEW
@given(st.text(max_size=30))
def test_what_redis_quotes_is_one_word(text: str) -> None:
    quoted = make("redis", LookupWorld(JumpClock())).quote(text, "")
    assert quoted is not None
    if text:
        assert command_words(quoted) == [text]


@_FEW
@given(st.binary(max_size=60))
def test_redis_answers_from_anywhere(data: bytes) -> None:
    async def run() -> None:
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        connection = RespConnection(reader, _Sink())  # type: ignore[arg-type]
        with contextlib.suppress(EOFError, RespError, ValueError, asyncio.LimitOverrunError):
            await connection.ask("get", "x")

    asyncio.run(run())


class _Sink:
    def is_closing(self) -> bool:
        return False

    def write(self, data: bytes) -> None: ...


@_FEW
@given(st.text(st.sampled_from(".acxn-ü"), max_size=20))
def test_suffixes_of_any_name(name: str) -> None:
    rules = Rules(frozenset(["c", "a.c", ""]), frozenset(["a", "", "x.c"]), frozenset(["x.a", "c"]))
    name = to_unicode(name)
    start = suffix_start(name, rules)
    if start is not None:
        assert 0 < start <= len(name) or name[:1] != "."
        registered_start(name, start)
