"""dnsdb: records from the DNS as text (Exim 9.10).

    [>separator[,separator | ;]] [modifier, …] [type =] name : name …

Every question goes to the resolver, which caches by TTL. Names come in lower case, as everywhere in this program. `retrans_` and `retry_`
bound how long one question is waited for (`retrans`, then twice that, …); they do not make the resolver try longer than it does by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from pillarbox.backends.lookups.dns.csa import csa_fields
from pillarbox.backends.lookups.dns.query import DnsQuery, parse_query
from pillarbox.backends.lookups.dns.record_text import record_text
from pillarbox.backends.lookups.driver import LookupWorld, QueryStyle
from pillarbox.ports.dns import Answer, RecordType, Resolver
from pillarbox.ports.lookups import Lookup, LookupDefer

_PLAIN: dict[str, tuple[RecordType, ...]] = {
    "a": ("A",), "a+": ("AAAA", "A"), "aaaa": ("AAAA",), "cname": ("CNAME",), "mx": ("MX",), "mxh": ("MX",), "ns": ("NS",),
    "ptr": ("PTR",), "spf": ("SPF",), "srv": ("SRV",), "tlsa": ("TLSA",), "txt": ("TXT",),
}  # fmt: skip
_CLIMBING: dict[str, RecordType] = {"soa": "SOA", "zns": "NS"}
"""Types for which a parent answers where the name does not."""
_NOTHING = Answer("no_data")


class Dnsdb(QueryStyle):
    """Implements `ports.lookups.Lookup`."""

    def __init__(self, resolver: Resolver | None) -> None:
        self._resolver = resolver

    async def find(self, key: str, source: str, options: tuple[str, ...] = ()) -> str | None:
        query = parse_query(key)
        texts: list[str] = []
        was_deferred = False
        for name in query.names():
            async for answer in self._answers(query, name):
                if _is_deferral(query, answer):
                    if query.defer == "strict":
                        raise LookupDefer("")
                    was_deferred = True
                elif answer.status == "found":
                    texts += [record_text(query, record) for record in answer.records]
        # a NUL, which stands for "no separator" between fields too, ends the text as it does in Exim
        text = query.separator.join(texts).partition("\0")[0]
        if text:
            return text
        if was_deferred and query.defer != "never":
            raise LookupDefer("")
        return None

    async def _answers(self, query: DnsQuery, name: str) -> AsyncIterator[Answer]:
        if query.kind == "csa":
            yield await csa_fields(name, lambda asked: self._ask(query, asked, "SRV"))
        elif query.kind in _CLIMBING:
            yield await self._climb(query, name, _CLIMBING[query.kind])
        else:
            for kind in _PLAIN[query.kind]:
                yield await self._ask(query, name, kind)

    async def _climb(self, query: DnsQuery, name: str, kind: RecordType) -> Answer:
        """The name's own records, else its parent's, and so on; not the root's."""
        answer = _NOTHING
        while name:
            answer = await self._ask(query, name, kind)
            if answer.status in ("found", "again"):
                break
            name = name.partition(".")[2]
        return answer

    async def _ask(self, query: DnsQuery, name: str, kind: RecordType) -> Answer:
        if self._resolver is None:
            return Answer("again", detail="no DNS here")
        if not name:
            return _NOTHING
        if any(len(label.encode("utf-8", "surrogateescape")) > 63 for label in name.split(".")):
            return Answer("again", detail="name that the DNS cannot hold")
        try:
            async with asyncio.timeout(query.patience):
                return await self._resolver.query(name, kind)
        except TimeoutError:
            return Answer("again", detail="no answer in the time that the query allows")


def _is_deferral(query: DnsQuery, answer: Answer) -> bool:
    """`dnssec_strict`: an answer that nobody vouches for is as good as none."""
    if answer.status == "again":
        return True
    return query.dnssec == "strict" and answer.status == "found" and not answer.is_secure


def make(kind: str, world: LookupWorld) -> Lookup:
    return Dnsdb(world.checked_resolver or world.resolver)
