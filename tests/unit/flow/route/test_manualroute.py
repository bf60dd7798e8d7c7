"""manualroute and ipliteral."""

from __future__ import annotations

import pytest
from tests.support.routing import RoutingWorld, summary

from pillarbox.config.errors import ConfigError
from pillarbox.flow.route.route_rules import HostItem, parse_host_item, parse_options, take_word

ZONE = """
smart.test   A 198.51.100.1
other.test   A 198.51.100.2
mail.test    MX 10 smart.test
mail.test    MX 20 other.test
broken.test  SERVFAIL
us.test      A 192.0.2.99
"""


def world(options: str, seed: int = 1) -> RoutingWorld:
    text = f"m:\n  driver = manualroute\n  transport = smtp\n{options}\nlast:\n  driver = accept\n  transport = local\n"
    return RoutingWorld(
        text,
        zone=ZONE,
        hosts={"box": ("10.1.1.1",)},
        tables={"/routes": {"looked.test": "smart.test::26"}},
        seed=seed,
    )


async def hosts_of(options: str, address: str = "a@d.test") -> list[tuple[str, tuple[str, ...], int]]:
    (assignment,) = (await world(options).route(address)).assignments
    return [(host.name, host.addresses, host.port) for host in assignment.hosts]


async def test_rules_are_tried_in_order() -> None:
    options = "  route_list = one.test smart.test ; *.test other.test::2525 ; * 10.0.0.1\n"
    assert await hosts_of(options, "a@one.test") == [("smart.test", ("198.51.100.1",), 0)]
    assert await hosts_of(options, "a@two.test") == [("other.test", ("198.51.100.2",), 2525)]
    assert await hosts_of(options, "a@two.example") == [("10.0.0.1", ("10.0.0.1",), 0)]


async def test_no_rule_declines() -> None:
    assert summary(await world("  route_list = one.test smart.test").route("a@b.test")) == [
        "a@b.test -> local"
    ]


async def test_lists_with_another_separator_and_ports() -> None:
    options = '  route_list = * "</ [10.1.1.1]:1225 / [2001:db8::1]:1226 / 2001:db8::2"\n'
    assert await hosts_of(options) == [
        ("10.1.1.1", ("10.1.1.1",), 1225),
        ("2001:db8::1", ("2001:db8::1",), 1226),
        ("2001:db8::2", ("2001:db8::2",), 0),
    ]


async def test_transport_in_the_rule() -> None:
    (assignment,) = (
        await world("  route_list = * smart.test randomize smtp2\n").route("a@b.test")
    ).assignments
    assert assignment.transport == "smtp2"


async def test_local_transport_gets_names_only() -> None:
    options = "  route_list = * nowhere.test file\n"
    assert await hosts_of(options) == [("nowhere.test", (), 0)]


async def test_captures_and_lookups_in_hosts() -> None:
    assert await hosts_of("  route_list = \\N^(\\w+)\\.test$\\N $1.test\n", "a@smart.test") == [
        ("smart.test", ("198.51.100.1",), 0)
    ]
    assert await hosts_of("  route_list = lsearch;;/routes $value\n", "a@looked.test") == [
        ("smart.test", ("198.51.100.1",), 26)
    ]
    assert await hosts_of("  route_data = ${lookup{$domain}lsearch{/routes}}\n", "a@looked.test") == [
        ("smart.test", ("198.51.100.1",), 26)
    ]
    assert summary(await world("  route_data = ${lookup{$domain}lsearch{/routes}}\n").route("a@no.test")) == [
        "a@no.test -> local"
    ]


async def test_mx_of_a_name_and_the_hosts_file() -> None:
    assert await hosts_of("  route_list = * mail.test/MX::2525\n") == [
        ("smart.test", ("198.51.100.1",), 2525),
        ("other.test", ("198.51.100.2",), 2525),
    ]
    assert await hosts_of("  route_list = * box byname\n") == [("box", ("10.1.1.1",), 0)]
    assert summary(await world("  route_list = * box bydns\n").route("a@b.test")) == [
        'a@b.test ? lookup of host "box" failed in m router'
    ]


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("freeze", '? lookup of host "gone.test" failed in m router'),
        ("defer", '? lookup of host "gone.test" failed in m router'),
        ("fail", '! lookup of host "gone.test" failed in m router'),
        ("decline", "-> local"),
        ("pass", "-> local"),
        (
            "ignore",
            "? lookup failed for all hosts in m router: host_find_failed=ignore host_all_ignored=defer",
        ),
    ],
)
async def test_host_find_failed(setting: str, expected: str) -> None:
    routed = await world(f"  route_list = * gone.test\n  host_find_failed = {setting}\n").route("a@b.test")
    assert summary(routed) == [f"a@b.test {expected}"]


async def test_unknown_hosts_are_left_out() -> None:
    options = "  route_list = * gone.test:smart.test\n  host_find_failed = ignore\n"
    assert await hosts_of(options) == [("smart.test", ("198.51.100.1",), 0)]


async def test_cannot_say_now() -> None:
    assert (await world("  route_list = * broken.test\n").route("a@b.test")).postponed
    passed = await world("  route_list = * broken.test\n  pass_on_timeout\n").route("a@b.test")
    assert summary(passed) == ["a@b.test -> local"]


async def test_ourselves_first_and_later() -> None:
    routed = await world("  route_list = * us.test\n").route("a@b.test")
    assert routed.postponed[0][1].is_frozen
    assert await hosts_of("  route_list = * smart.test:us.test:other.test\n") == [
        ("smart.test", ("198.51.100.1",), 0)
    ]
    assert await hosts_of("  route_list = * 127.0.0.1::2526\n  self = send\n") == [
        ("127.0.0.1", ("127.0.0.1",), 2526)
    ]


async def test_randomize_within_groups() -> None:
    options = "  route_list = * 10.0.0.1:10.0.0.2:10.0.0.3:+:10.0.0.4\n  hosts_randomize\n"
    orders = set()
    for seed in range(8):
        (assignment,) = (await world(options, seed).route("a@b.test")).assignments
        order = tuple(host.name for host in assignment.hosts)
        assert order[-1] == "10.0.0.4"
        orders.add(order)
    assert len(orders) > 1


@pytest.mark.parametrize(
    "options", ["", "  route_list = * a\n  route_data = b\n", "  route_list = +nolist a\n"]
)
def test_settings_that_cannot_be(options: str) -> None:
    with pytest.raises(ConfigError):
        world(options)


def test_words() -> None:
    assert take_word('"a b" c') == ("a b", "c")
    assert take_word('"${lookup{$domain} dbm {/x}}" batch') == ("${lookup{$domain} dbm {/x}}", "batch")
    assert take_word("one") == ("one", "")


def test_items_and_options() -> None:
    assert parse_host_item("dom.test/mx:1225") == HostItem("dom.test", 1225, True)
    for whole in ("a:x", "[::1", "[::1]", "a:25:26"):
        assert parse_host_item(whole) == HostItem(whole)
    for bad in ("a:0", "a:70000"):
        with pytest.raises(ValueError):
            parse_host_item(bad)
    with pytest.raises(ValueError):
        parse_options("one two", ("one",))


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("[198.51.100.5]", "-> smtp"),
        ("[IPv6:2001:db8::5]", "-> smtp"),
        ("[127.0.0.1]", "? remote host address is the local host"),
        ("[198.51.100.66]", "! IP literal host explicitly ignored"),
        ("[nonsense]", "! Unrouteable address"),
        ("plain.test", "! Unrouteable address"),
    ],
)
async def test_ipliteral(domain: str, expected: str) -> None:
    text = "lit:\n driver = ipliteral\n transport = smtp\n ignore_target_hosts = 198.51.100.66\n"
    assert summary(await RoutingWorld(text).route(f"a@{domain}")) == [f"a@{domain} {expected}"]


async def test_validated_answers_only() -> None:
    required = "  route_list = * mail.test/MX:smart.test\n  dnssec_require_domains = *.test\n"
    assert summary(await world(required).route("a@b.test")) == [
        "a@b.test ? host lookup for mail.test done insecurely"
    ]
    assert summary(await world(f"{required}  pass_on_timeout\n").route("a@b.test")) == [
        "a@b.test ? host lookup for mail.test done insecurely"
    ]
    assert await hosts_of(required.replace("*.test", "other.test")) != []


async def test_this_machine_is_first_where_others_were_ignored() -> None:
    options = "  route_list = * gone.test:us.test:smart.test\n  host_find_failed = ignore\n"
    assert summary(await world(options).route("a@b.test")) == [
        "a@b.test ? remote host address is the local host"
    ]


def test_a_required_file_that_is_no_expansion_is_an_error_of_the_configuration() -> None:
    with pytest.raises(ConfigError, match="not a known operator"):
        world("  route_list = * smart.test\n  require_files = /a:${nosuch{x}}\n")
