"""Lists: order, negation, literals, named lists, hosts."""

from __future__ import annotations

import pytest
from tests.support.clock import JumpClock
from tests.support.fake_dns import FakeDns

from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.variables import address as _address  # noqa: F401  declares the variables
from pillarbox.flow.variables import message as _message  # noqa: F401
from pillarbox.language.expand.scope import Scope, Services
from pillarbox.language.match.addresses import AddressList
from pillarbox.language.match.domains import DomainList
from pillarbox.language.match.errors import ListSyntaxError
from pillarbox.language.match.hosts import HostList, HostSubject
from pillarbox.language.match.items import split
from pillarbox.language.match.local_host import LocalHost
from pillarbox.language.match.local_parts import LocalPartList
from pillarbox.language.match.named import NamedLists
from pillarbox.language.nowhere import empty_scope, no_services


def here() -> Scope:
    return empty_scope().with_facet(LocalHost, LocalHost("mail.example.org", frozenset({"127.0.0.1", "::1"})))


@pytest.mark.parametrize(
    ("source", "items"),
    [
        ("a : b", ["a", "b"]),
        ("a::b:c", ["a:b", "c"]),
        ("<; a ; b:c;", ["a", "b:c"]),
        (":", [""]),
        ("", []),
        ("a: :b", ["a", "", "b"]),
        ("a:::b", ["a:", "b"]),
        ("<, ::1,2", ["::1", "2"]),
    ],
)
def test_splits(source: str, items: list[str]) -> None:
    assert [text for text, _ in split(source)] == items


@pytest.mark.parametrize(
    ("source", "domain", "expected"),
    [
        ("a.b : *.c", "A.B", True),
        ("a.b : *.c", "x.C", True),
        ("a.b : *.c", "c", False),
        ("!a.b : *", "a.b", False),
        ("!a.b : *", "c.d", True),
        ("!a.b", "c.d", True),
        ("*.b : !a.b", "a.b", True),
        ("@", "mail.example.org", True),
        ("@[]", "[127.0.0.1]", True),
        ("@[]", "[IPv6:::1]", True),
        ("@[]", "[192.0.2.9]", False),
        (r"^mx\\d+\\.", "MX12.x", True),
        ("+mine", "x.c", True),
        ("!+mine", "x.c", False),
        ("", "x", False),
    ],
)
def test_matches_domains(source: str, domain: str, expected: bool) -> None:
    named = NamedLists()
    named.define("domain", "mine", "a.b : *.c")
    domains = DomainList.parse(source, named)
    assert domains.is_pure
    assert domains.matches_now(domain, here()) is expected


def test_many_literals_are_one_look_up() -> None:
    source = ":".join(f"d{number}.example" for number in range(5000))
    domains = DomainList.parse(source, NamedLists())
    assert domains.match_data_now("D4999.example", here()) == "d4999.example"
    assert not domains.matches_now("d5000.example", here())


def test_literals_keep_their_place_among_other_items() -> None:
    domains = DomainList.parse("a : b : !*.x : c.x : y.x", NamedLists())
    assert not domains.matches_now("c.x", here())
    assert domains.matches_now("b", here())


def test_a_list_with_variables_is_expanded_for_each_match() -> None:
    facts = MessageFacts("id", "joe@one.example")
    scope = here().with_facet(MessageFacts, facts)
    domains = DomainList.parse("$sender_address_domain : two.example", NamedLists())
    assert domains.matches_now("one.example", scope)
    facts.sender = "joe@three.example"
    assert not domains.matches_now("one.example", scope)
    assert domains.matches_now("two.example", scope)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("a : +nosuch", "unknown named domain list"),
        ("^(", "regular expression error"),
        ("$nosuch", "unknown variable"),
    ],
)
def test_bad_lists_are_found_at_load(source: str, message: str) -> None:
    with pytest.raises(ListSyntaxError, match=message):
        DomainList.parse(source, NamedLists())


def test_a_list_cannot_contain_itself() -> None:
    named = NamedLists()
    named.define("domain", "a", "+b")
    named.define("domain", "b", "x : +a")
    with pytest.raises(ListSyntaxError, match="contains itself"):
        DomainList.parse("+a", named)


@pytest.mark.parametrize(
    ("source", "address", "expected"),
    [
        ("joe@a.b", "JOE@A.b", True),
        ("*@a.b", "x@a.b", True),
        ("a.b", "x@a.b", True),
        ("*.b", "x@a.b", True),
        ("*e@*.b", "joe@a.b", True),
        ("joe@+mine", "joe@x.c", True),
        ("joe@+mine", "sue@x.c", False),
        (":", "", True),
        ("", "", False),
        ("*", "", False),
        ("*", "a@b", True),
        ("!joe@a.b", "sue@a.b", True),
        (r"^x.*@a\\.b\$", "xyz@a.b", True),
    ],
)
def test_matches_addresses(source: str, address: str, expected: bool) -> None:
    named = NamedLists()
    named.define("domain", "mine", "a.b : *.c")
    assert AddressList.parse(source, named).matches_now(address, here()) is expected


def test_local_parts() -> None:
    names = LocalPartList.parse("postmaster : ^owner- : *-admin", NamedLists())
    assert [names.matches_now(name, here()) for name in ("Postmaster", "owner-x", "list-admin", "joe")] == [
        True, True, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "address", "expected"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("10.0.0.0/8", "10.9.8.7", True),
        ("10.0.0.0/8", "11.0.0.1", False),
        ("<; 2001:db8::/32", "2001:db8::5", True),
        ("2001::db8::::/32", "2001:db8::5", True),
        ("10.0.0.0/8", "2001:db8::5", False),
        ("!192.0.2.1 : *", "192.0.2.1", False),
        (":", "", True),
        (":", "192.0.2.1", False),
        ("@[]", "127.0.0.1", True),
        ("+relay", "127.0.0.1", True),
    ],
)
def test_matches_hosts_by_address(source: str, address: str, expected: bool) -> None:
    named = NamedLists()
    named.define("host", "relay", "<; 127.0.0.1 ; ::1")
    hosts = HostList.parse(source, named)
    assert hosts.is_pure
    assert hosts.matches_now(HostSubject(address), here()) is expected


@pytest.mark.parametrize("source", ["^(", "net-nosuch;/f", "net-lsearch*;/f", "partial-passwd;root"])
def test_malformed_host_items(source: str) -> None:
    with pytest.raises(ListSyntaxError):
        HostList.parse(source, NamedLists())


def named_world() -> Scope:
    zone = "client.example.org. A 192.0.2.1\nliar.example.org. A 192.0.2.77\n"
    zone += "1.2.0.192.in-addr.arpa. PTR client.example.org.\n9.2.0.192.in-addr.arpa. PTR liar.example.org.\n"
    return Scope({}, Services(no_services().lookups, FakeDns(zone), JumpClock()))


@pytest.mark.parametrize(
    ("source", "address", "expected"),
    [
        ("*.example.org", "192.0.2.1", True),
        ("*.example.net", "192.0.2.1", False),
        ("*.example.org", "192.0.2.9", False),
        (r"^client\\.", "192.0.2.1", True),
        ("client.example.org", "192.0.2.1", True),
        ("client.example.org", "192.0.2.2", False),
    ],
)
async def test_matches_hosts_by_verified_name(source: str, address: str, expected: bool) -> None:
    hosts = HostList.parse(source, NamedLists())
    assert not hosts.is_pure
    assert await hosts.matches(HostSubject(address), named_world()) is expected


async def test_a_name_known_already_costs_no_query() -> None:
    hosts = HostList.parse("*.example.org", NamedLists())
    assert hosts.matches_now(HostSubject("192.0.2.1", lambda: "a.example.org"), here())
