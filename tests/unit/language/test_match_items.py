"""Items that need the DNS, files or lookups; modes, captures and taint."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.clock import JumpClock
from tests.support.fake_dns import FakeDns

from pillarbox.language.expand.errors import ExpansionDeferred
from pillarbox.language.expand.scope import Scope, Services
from pillarbox.language.match.addresses import AddressList
from pillarbox.language.match.domains import DomainList
from pillarbox.language.match.errors import ListSyntaxError
from pillarbox.language.match.hosts import HostList, HostSubject
from pillarbox.language.match.ip_addresses import lookup_key, parse_address
from pillarbox.language.match.local_host import LocalHost
from pillarbox.language.match.local_parts import LocalPartList
from pillarbox.language.match.named import NamedLists
from pillarbox.language.nowhere import empty_scope, no_services
from pillarbox.mail.taint import Tainted, is_tainted

ZONE = """\
ours.example. MX 10 mail.example.org.
backed.example. MX 10 other.example.net.
backed.example. MX 20 mail.example.org.
theirs.example. MX 10 other.example.net.
treated.example. MX 10 alias.example.org.
numbered.example. MX 10 numbered.example.net.
mail.example.org. A 192.0.2.10
other.example.net. A 192.0.2.20
alias.example.org. A 192.0.2.30
numbered.example.net. A 127.0.0.1
client.example.org. A 192.0.2.1
1.2.0.192.in-addr.arpa. PTR client.example.org.
"""
HERE = LocalHost(
    "mail.example.org", frozenset({"127.0.0.1", "::1"}), lambda name, scope: name == "alias.example.org"
)


def world() -> Scope:
    services = Services(no_services().lookups, FakeDns(ZONE), JumpClock())
    return Scope({LocalHost: HERE}, services)


def nowhere() -> Scope:
    return empty_scope().with_facet(LocalHost, HERE)


@pytest.mark.parametrize(
    ("item", "domain", "expected"),
    [
        ("@mx_any", "ours.example", True),
        ("@mx_any", "backed.example", True),
        ("@mx_any", "theirs.example", False),
        ("@mx_any", "treated.example", True),
        ("@mx_any", "numbered.example", True),
        ("@mx_any", "nosuch.example", False),
        ("@mx_primary", "Ours.Example", True),
        ("@mx_primary", "backed.example", False),
        ("@mx_secondary", "backed.example", True),
        ("@mx_secondary", "ours.example", False),
        ("@mx_any/ignore=127.0.0.1", "numbered.example", False),
        ("@mx_any/ignore=<;127.0.0.0/8;192.0.2.0/24", "ours.example", False),
        ("@mx_primary/ignore=192.0.2.20", "backed.example", True),
        ("!@mx_any", "theirs.example", True),
    ],
)
async def test_mail_exchangers(item: str, domain: str, expected: bool) -> None:
    domains = DomainList.parse(item, NamedLists())
    assert not domains.is_pure
    assert await domains.matches(domain, world()) is expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("*.example.org : 192.0.2.9", False),
        ("+ignore_unknown : *.example.org : 192.0.2.9", True),
        ("+include_unknown : *.example.org", True),
        ("+include_unknown : !*.example.org", True),
        ("!*.example.org", False),
        ("nosuch.example : 192.0.2.9", False),
        ("+ignore_unknown : nosuch.example : 192.0.2.9", True),
        ("+include_unknown : +ignore_unknown : *.x : 192.0.2.8", False),
        ("192.0.2.9 : *.example.org", True),
        ("+unknown : 192.0.2.9", True),
        ("!+unknown", True),
    ],
)
async def test_a_host_without_a_name(source: str, expected: bool) -> None:
    named = NamedLists()
    named.define("host", "unknown", "*.example.org")
    assert await HostList.parse(source, named).matches(HostSubject("192.0.2.9"), world()) is expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("+ignore_defer : a.x : 192.0.2.9", True),
        ("+ignore_defer : a.x : 192.0.2.8", False),
        ("+include_defer : a.x", True),
        ("192.0.2.9 : a.x", True),
        ("192.0.2.9 : *.x", True),
        ("*.x : 192.0.2.9", False),
        ("+include_defer : *.x", False),
        ("+ignore_unknown : *.x : 192.0.2.9", True),
        ("+include_unknown : *.x", True),
    ],
)
async def test_a_dns_that_cannot_say(source: str, expected: bool) -> None:
    hosts = HostList.parse(source, NamedLists())
    assert await hosts.matches(HostSubject("192.0.2.9"), nowhere()) is expected


async def test_a_dns_that_cannot_say_defers() -> None:
    with pytest.raises(ExpansionDeferred):
        await HostList.parse("a.x : 192.0.2.9", NamedLists()).matches(HostSubject("192.0.2.9"), nowhere())


async def test_a_file_is_read_again_when_it_has_changed(tmp_path: Path) -> None:
    file = tmp_path / "domains"
    file.write_text("# ours\na.example # first\n*.b.example\n!c.example\n", "utf-8")
    domains = DomainList.parse(f"{file} : d.example", NamedLists())
    assert await domains.match_data("A.example", nowhere()) == "a.example"
    assert domains.match_data_now("x.b.example", nowhere()) == "*.b.example"
    assert not domains.matches_now("c.example", nowhere())
    assert domains.matches_now("d.example", nowhere())
    file.write_text("c.example\n", "utf-8")
    os.utime(file, ns=(1, 1))
    assert await domains.matches("c.example", nowhere())
    assert not await domains.matches("a.example", nowhere())


async def test_a_file_that_is_not_there_defers() -> None:
    domains = DomainList.parse("/nonexistent/list", NamedLists())
    with pytest.raises(
        ExpansionDeferred, match=r'failed to open .* when checking "/nonexistent/list": No such'
    ):
        await domains.matches("a", nowhere())


def test_case_counts_when_wanted() -> None:
    named = NamedLists()
    named.define("localpart", "people", "Joe : *-Admin")
    people = LocalPartList.parse("+people", named)
    assert people.matches_now("joe", nowhere())
    assert people.matches_now("x-admin", nowhere())
    assert not people.caseful.matches_now("joe", nowhere())
    assert people.caseful.matches_now("Joe", nowhere())
    assert not people.caseful.matches_now("x-admin", nowhere())


def test_only_ascii_letters_are_folded() -> None:
    domains = DomainList.parse("ÄB : *Öx", NamedLists())
    assert domains.matches_now("Äb", nowhere())
    assert not domains.matches_now("äb", nowhere())
    assert domains.matches_now("yÖX", nowhere())


@pytest.mark.parametrize(
    ("source", "subject", "captures"),
    [
        ("a.b", "A.B", ["a.b"]),
        ("*.b", "A.B", ["a.b", "a"]),
        ("^(a).(b)", "a.b", ["a.b", "a", "b"]),
        ("x.y : !z", "a.b", []),
    ],
)
def test_captures(source: str, subject: str, captures: list[str]) -> None:
    scope = nowhere()
    scope.captures = ["old"]
    assert DomainList.parse(source, NamedLists()).matches_now(subject, scope)
    assert scope.captures == captures


def test_the_item_is_plain_and_what_an_asterisk_stood_for_is_not() -> None:
    scope = nowhere()
    data = DomainList.parse("*.b", NamedLists()).match_data_now(Tainted("a.b"), scope)
    assert data == "*.b"
    assert not is_tainted(data)
    assert is_tainted(scope.captures[1])


@pytest.mark.parametrize(
    ("kind", "source", "message"),
    [
        (DomainList, "+nosuch", 'unknown named domain list "+nosuch"'),
        (LocalPartList, "+nosuch", 'unknown named local part list "+nosuch"'),
        (AddressList, "! +caseful", 'unknown named address list "+caseful"'),
        (HostList, "+caseful", 'unknown named host list "+caseful"'),
        (DomainList, "nosuch;/f", 'unknown lookup type "nosuch"'),
        (AddressList, "@@nosuch;/f", 'unknown lookup type "nosuch"'),
    ],
)
def test_errors_are_in_exims_words(
    kind: Callable[[str, NamedLists], object], source: str, message: str
) -> None:
    with pytest.raises(ListSyntaxError) as caught:
        kind(source, NamedLists())
    assert caught.value.message == message


def test_a_misspelt_name_is_guessed() -> None:
    named = NamedLists()
    named.define("domain", "local_domains", "a.b")
    with pytest.raises(ListSyntaxError) as caught:
        DomainList.parse("+local_domain", named)
    assert caught.value.suggestion == "did you mean +local_domains?"


@pytest.mark.parametrize(
    ("address", "mask", "separator", "key"),
    [
        ("192.168.34.6", None, ".", "192.168.34.6"),
        ("192.168.34.6", 24, ".", "192.168.34.0/24"),
        ("2001:db8::1", None, ".", "2001.0db8.0000.0000.0000.0000.0000.0001"),
        ("2001:db8::1", 32, ":", "2001:0db8:0000:0000:0000:0000:0000:0000/32"),
        ("::ffff:10.1.2.3", 8, ".", "10.0.0.0/8"),
    ],
)
def test_keys_of_net_lookups(address: str, mask: int | None, separator: str, key: str) -> None:
    parsed = parse_address(address)
    assert parsed is not None
    assert lookup_key(parsed, mask, separator) == key
