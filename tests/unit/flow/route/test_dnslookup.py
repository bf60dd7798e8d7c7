"""dnslookup: exchangers, addresses, ourselves, and the three ways of not finding anything."""

from __future__ import annotations

import pytest
from tests.support.routing import RoutingWorld, summary

from pillarbox.flow.route.result import Host

ZONE = """
plain.test          MX 10 mx1.plain.test
plain.test          MX 20 mx2.plain.test
plain.test          MX 10 mx3.plain.test
mx1.plain.test      A 198.51.100.1
mx1.plain.test      AAAA 2001:db8::1
mx2.plain.test      A 198.51.100.2
mx3.plain.test      A 198.51.100.3
address.test        A 198.51.100.9
null.test           MX 0 .
empty.test          TXT "nothing here"
ours.test           MX 10 us.test
ours.test           MX 20 mx2.plain.test
us.test             A 192.0.2.99
second.test         MX 10 mx1.plain.test
second.test         MX 20 us.test
second.test         MX 30 mx2.plain.test
self.test           A 127.0.0.1
nohosts.test        MX 10 nowhere.test
partly.test         MX 10 nowhere.test
partly.test         MX 20 mx2.plain.test
toip.test           MX 10 198.51.100.77
broken.test         SERVFAIL
brokenhost.test     MX 10 broken.test
halfbroken.test     MX 10 broken.test
halfbroken.test     MX 20 mx2.plain.test
short.wide.test     A 198.51.100.8
"""


def world(options: str = "", seed: int = 1, after: str = "") -> RoutingWorld:
    return RoutingWorld(
        f"dns:\n  driver = dnslookup\n  transport = smtp\n{options}\n{after}", zone=ZONE, seed=seed
    )


def names(hosts: tuple[Host, ...]) -> list[str]:
    return [host.name for host in hosts]


async def test_exchangers_in_order_with_their_addresses() -> None:
    (assignment,) = (await world().route("a@plain.test")).assignments
    assert names(assignment.hosts)[2] == "mx2.plain.test"
    first = next(host for host in assignment.hosts if host.name == "mx1.plain.test")
    assert first.addresses == ("2001:db8::1", "198.51.100.1")
    assert first.mx_preference == 10


async def test_equal_preferences_are_shuffled() -> None:
    orders = set()
    for seed in range(10):
        (assignment,) = (await world(seed=seed).route("a@plain.test")).assignments
        orders.add(tuple(names(assignment.hosts)))
    assert len(orders) == 2


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("a@address.test", ["address.test"]),
        ("a@partly.test", ["mx2.plain.test"]),
        ("a@halfbroken.test", ["mx2.plain.test"]),
        ("a@second.test", ["mx1.plain.test"]),
    ],
)
async def test_hosts(address: str, expected: list[str]) -> None:
    (assignment,) = (await world().route(address)).assignments
    assert names(assignment.hosts) == expected


@pytest.mark.parametrize("domain", ["nowhere.test", "empty.test", "x" * 70 + ".test"])
async def test_declines(domain: str) -> None:
    assert summary(await world().route(f"a@{domain}")) == [f"a@{domain} ! Unrouteable address"]


async def test_an_address_literal_is_no_domain() -> None:
    said = 'a@[192.0.2.1] ! mail domain "[192.0.2.1]" is syntactically invalid'
    assert summary(await world().route("a@[192.0.2.1]")) == [said]


@pytest.mark.parametrize(
    ("domain", "more"), [("nohosts.test", ""), ("toip.test", " or (invalidly) to IP addresses")]
)
async def test_exchangers_that_do_not_exist(domain: str, more: str) -> None:
    expected = [f"a@{domain} ! all relevant MX records point to non-existent hosts{more}"]
    assert summary(await world().route(f"a@{domain}")) == expected
    after = "last:\n  driver = accept\n  transport = local\n"
    assert summary(await world(after=after).route(f"a@{domain}")) == [f"a@{domain} -> local"]


async def test_null_mx_declines_with_its_reason() -> None:
    ((_, refused, router),) = (await world().route("a@null.test")).refused
    assert (refused.reason.peer, router) == ("an MX or SRV record indicated no SMTP service", "")


@pytest.mark.parametrize("domain", ["broken.test", "brokenhost.test"])
async def test_cannot_say_now(domain: str) -> None:
    ((_, postponed, _),) = (await world().route(f"a@{domain}")).postponed
    assert postponed.retry_keys == (f"R:{domain}",)
    assert postponed.reason.log == "host lookup did not complete"
    assert "SERVFAIL" in postponed.detail
    assert not postponed.is_frozen


async def test_pass_on_timeout_overrides_no_more() -> None:
    smart = "smart:\n  driver = accept\n  transport = smtp2\n"
    result = await world("  pass_on_timeout\n  no_more\n", after=smart).route("a@broken.test")
    assert summary(result) == ["a@broken.test -> smtp2"]


@pytest.mark.parametrize("domain", ["ours.test", "self.test"])
@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("freeze", "? {why}"),
        ("defer", "? {why}"),
        ("fail", "! {why}"),
        ("pass", "-> local"),
        ("send", "-> smtp"),
    ],
)
async def test_ourselves_as_best_exchanger(domain: str, action: str, expected: str) -> None:
    after = "last:\n  driver = accept\n  transport = local\n"
    routed = await world(f"  self = {action}\n  no_more\n", after=after).route(f"a@{domain}")
    by_mx, by_address = (
        "lowest numbered MX record points to local host",
        "remote host address is the local host",
    )
    why = by_mx if domain == "ours.test" else by_address
    assert summary(routed) == [f"a@{domain} {expected.format(why=why)}"]
    if routed.postponed:
        assert routed.postponed[0][1].is_frozen is (action == "freeze")


async def test_reroute() -> None:
    routed = await world("  self = reroute: address.test\n").route("Ab@ours.test")
    assert summary(routed) == ["Ab@address.test -> smtp"]


async def test_secondary() -> None:
    assert summary(await world("  check_secondary_mx\n").route("a@plain.test")) == [
        "a@plain.test ! Unrouteable address"
    ]
    assert summary(await world("  check_secondary_mx\n").route("a@second.test")) == ["a@second.test -> smtp"]


async def test_ignore_target_hosts() -> None:
    ignoring = world("  ignore_target_hosts = 198.51.100.0/24 : 127.0.0.0/8\n")
    (assignment,) = (await ignoring.route("a@plain.test")).assignments
    assert [host.addresses for host in assignment.hosts] == [("2001:db8::1",)]
    for domain in ("address.test", "self.test"):
        assert summary(await ignoring.route(f"a@{domain}")) == [f"a@{domain} ! Unrouteable address"]


async def test_mx_domains_and_fail_domains() -> None:
    assert summary(await world("  mx_domains = *\n").route("a@address.test")) == [
        "a@address.test ! Unrouteable address"
    ]
    assert (await world("  fail_defer_domains = *\n").route("a@nowhere.test")).postponed
    assert (await world("  mx_fail_domains = *\n").route("a@broken.test")).postponed


async def test_widen_domains() -> None:
    routed = await world("  widen_domains = none.test : wide.test\n").route("a@short")
    assert summary(routed) == ["a@short.wide.test -> smtp"]


async def test_ipv4_only_and_prefer() -> None:
    (assignment,) = (await world("  ipv4_only = yes\n").route("a@plain.test")).assignments
    assert all(":" not in address for host in assignment.hosts for address in host.addresses)
    (assignment,) = (await world("  ipv4_prefer = yes\n").route("a@plain.test")).assignments
    first = next(host for host in assignment.hosts if host.name == "mx1.plain.test")
    assert first.addresses == ("198.51.100.1", "2001:db8::1")
