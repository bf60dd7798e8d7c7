"""The chain: preconditions, order, redirection with ancestry, duplicates, purposes."""

from __future__ import annotations

import pytest
from tests.support.routing import RoutingWorld, summary

from pillarbox.config.errors import ConfigError
from pillarbox.flow.route.trace import Trace, narrate

LOCAL = """
aliases:
  driver = redirect
  domains = +local_domains
  data = ${lookup{$local_part}lsearch{/aliases}}
users:
  driver = accept
  domains = +local_domains
  check_account
  transport = local
"""
MAIN = "domainlist local_domains = local.test : other.test"
ALIASES = {
    "/aliases": {
        "root": "alice",
        "both": "alice, bob",
        "again": "both",
        "loop1": "loop2",
        "loop2": "loop1",
        "self": "self, alice",
        "alice2": "alice",
    }
}


def local_world(routers: str = LOCAL, **more: object) -> RoutingWorld:
    return RoutingWorld(routers, main=MAIN, tables=ALIASES, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("alice@local.test", ["alice@local.test -> local"]),
        ("Alice@LOCAL.test", ["Alice@LOCAL.test -> local"]),
        ("root@local.test", ["alice@local.test -> local"]),
        ("both@local.test", ["alice@local.test -> local", "bob@local.test -> local"]),
        ("again@local.test", ["alice@local.test -> local", "bob@local.test -> local"]),
        ("nobody@local.test", ["nobody@local.test ! Unrouteable address"]),
        ("alice@remote.test", ["alice@remote.test ! Unrouteable address"]),
        ("loop1@local.test", ["loop1@local.test ! Unrouteable address"]),
        ("self@local.test", ["alice@local.test -> local", "self@local.test ! Unrouteable address"]),
    ],
)
@pytest.mark.parametrize("slow", [False, True])
async def test_local_addresses(address: str, expected: list[str], slow: bool) -> None:
    world = local_world(slow_lookups=slow)
    assert sorted(summary(await world.route(address))) == sorted(expected)


async def test_without_routers_nothing_can_be_routed() -> None:
    assert summary(await RoutingWorld("").route("a@b.test")) == ["a@b.test ! Unrouteable address"]


async def test_the_account_and_its_home_come_with_the_assignment() -> None:
    (assignment,) = (await local_world().route("Root@local.test")).assignments
    assert (assignment.account, assignment.home) == ("alice", "/mail/alice")
    assert assignment.candidate.parent_addresses == ("Root@local.test",)
    assert assignment.local_part_data == "alice"
    assert assignment.domain_data == "local.test"


async def test_ancestry_is_kept() -> None:
    routed = await local_world().route("again@local.test")
    assert routed.assignments[0].candidate.parent_addresses == ("both@local.test", "again@local.test")
    assert routed.assignments[0].candidate.redirected_by == ("aliases", "aliases")


async def test_one_copy_for_each_address_of_a_message() -> None:
    world = local_world()
    routed = await world.route_message(
        "both@local.test", "root@local.test", "bob@local.test", "alice2@local.test"
    )
    assert [summary(each) for each in routed] == [
        ["alice@local.test -> local", "bob@local.test -> local"],
    ]


async def test_bt_shows_duplicates() -> None:
    routed = await local_world(
        "list:\n driver = redirect\n domains = local.test\n local_parts = list\n data = x@o.test, x@o.test\n"
        "out:\n driver = accept\n transport = smtp\n"
    ).route("list@local.test", purpose="test")
    assert summary(routed) == ["x@o.test -> smtp", "x@o.test -> smtp"]


async def test_lookup_that_cannot_say_postpones_with_the_right_key() -> None:
    world = RoutingWorld(LOCAL, main=MAIN)
    ((candidate, postponed, router),) = (await world.route("root@local.test")).postponed
    assert "failed to open /aliases" in postponed.reason.log
    assert postponed.reason.peer == ""
    assert postponed.retry_keys == ("R:local.test",)
    assert (candidate.address, router) == ("root@local.test", "aliases")


async def test_retry_key_with_the_local_part() -> None:
    text = "a:\n driver = accept\n condition = ${lookup{x}lsearch{/none}}\n transport = local\n"
    ((_, postponed, _),) = (await RoutingWorld(text).route("root@local.test")).postponed
    assert postponed.retry_keys == ("R:root@local.test",)


PRECONDITIONS = """
prefixed:
  driver = accept
  local_part_prefix = owner- : *_x_
  transport = local
suffixed:
  driver = accept
  local_part_suffix = -request : +*
  transport = pipe
domains:
  driver = accept
  domains = one.test
  transport = file
parts:
  driver = accept
  local_parts = postmaster : ^ab+b
  transport = dir
senders:
  driver = accept
  senders = *@friend.test
  transport = smtp
conditional:
  driver = accept
  condition = ${if eq{$domain}{cond.test}}
  transport = smtp2
system:
  driver = accept
  check_local_user
  transport = file
"""


@pytest.mark.parametrize(
    ("address", "transport", "local_part"),
    [
        ("owner-list@x.test", "local", "list"),
        ("Owner-List@x.test", "local", "list"),
        ("a_x_b_x_c@x.test", "local", "c"),
        ("list-request@x.test", "pipe", "list"),
        ("me+foo+bar@x.test", "pipe", "me"),
        ("any@one.test", "file", "any"),
        ("PostMaster@x.test", "dir", "postmaster"),
        ("abbb@x.test", "dir", "abbb"),
        ("any@cond.test", "smtp2", "any"),
        ("carol@x.test", "file", "carol"),
    ],
)
async def test_preconditions(address: str, transport: str, local_part: str) -> None:
    (assignment,) = (await RoutingWorld(PRECONDITIONS).route(address)).assignments
    assert (assignment.transport, assignment.local_part) == (transport, local_part)


async def test_senders_and_every_skip_is_explained() -> None:
    world = RoutingWorld(PRECONDITIONS)
    assert summary(await world.route("x@y.test", sender="a@friend.test")) == ["x@y.test -> smtp"]
    trace: Trace = []
    assert summary(await world.route("x@y.test", trace=trace)) == ["x@y.test ! Unrouteable address"]
    assert list(narrate(trace)) == [
        "routing x@y.test",
        '  prefixed: skipped: local_part_prefix: x does not begin with "owner- : *_x_"',
        '  suffixed: skipped: local_part_suffix: x does not end with "-request : +*"',
        '  domains: skipped: domains: y.test is not in "one.test"',
        '  parts: skipped: local_parts: x is not in "postmaster : ^ab+b"',
        '  senders: skipped: senders: s@sender.test is not in "*@friend.test"',
        '  conditional: skipped: condition: "${if eq{$domain}{cond.test}}" gave ""',
        "  system: skipped: check_local_user: x is not a login name",
        "  no router takes it: Unrouteable address",
    ]


TRACED = f"""
copies:
  driver = accept
  local_parts = alice
  unseen
  transport = file
{LOCAL}
last:
  driver = redirect
  data = :unknown:
  no_more
never:
  driver = accept
  transport = smtp
"""


async def test_the_trace_tells_descent_copies_and_ends() -> None:
    trace: Trace = []
    world = RoutingWorld(TRACED, main=MAIN, tables=ALIASES)
    await world.route("both@local.test", trace=trace)
    await world.route("loop1@local.test", trace=trace)
    assert list(narrate(trace)) == [
        "routing both@local.test",
        '  copies: skipped: local_parts: both is not in "alice"',
        "  aliases: redirected to alice@local.test, bob@local.test",
        "routing alice@local.test, from both@local.test by aliases",
        "  copies: accepted for file; unseen, so a copy goes on",
        "routing alice@local.test, copied on by copies, from both@local.test by aliases",
        "  aliases: declined: no redirection data",
        "  users: accepted for local",
        "routing bob@local.test, from both@local.test by aliases",
        '  copies: skipped: local_parts: bob is not in "alice"',
        "  aliases: declined: no redirection data",
        "  users: accepted for local",
        "routing loop1@local.test",
        '  copies: skipped: local_parts: loop1 is not in "alice"',
        "  aliases: redirected to loop2@local.test",
        "routing loop2@local.test, from loop1@local.test by aliases",
        '  copies: skipped: local_parts: loop2 is not in "alice"',
        "  aliases: redirected to loop1@local.test",
        "routing loop1@local.test, from loop2@local.test by aliases, from loop1@local.test by aliases",
        '  copies: skipped: local_parts: loop1 is not in "alice"',
        "  aliases: skipped: a loop: it has redirected loop1@local.test before",
        "  users: skipped: check_account: loop1@local.test is not an account",
        "  last: declined: no addresses",
        "  last: no_more: no router below is asked",
        "  no router takes it: Unrouteable address",
    ]


async def test_the_trace_tells_duplicates() -> None:
    trace: Trace = []
    world = RoutingWorld(LOCAL, main=MAIN, tables={"/aliases": {"both": "bob, twin", "twin": "bob"}})
    await world.route("both@local.test", trace=trace)
    assert list(narrate(trace))[-3:] == [
        "  aliases: declined: no redirection data",
        "  users: accepted for local",
        "  a duplicate: it is delivered once",
    ]


async def test_system_user_brings_user_group_and_home() -> None:
    (assignment,) = (await RoutingWorld(PRECONDITIONS).route("carol@x.test")).assignments
    assert (assignment.user, assignment.group, assignment.home) == ("1000", "100", "/home/carol")


async def test_affixes_come_off_and_are_kept() -> None:
    (assignment,) = (await RoutingWorld(PRECONDITIONS).route("me+foo@x.test")).assignments
    assert (assignment.local_part_suffix, assignment.address) == ("+foo", "me+foo@x.test")


PURPOSES = """
only:
  driver = accept
  verify_only
  transport = smtp
no_test:
  driver = accept
  no_address_test
  no_verify
  no_expn
  transport = local
sender:
  driver = accept
  no_verify_recipient
  transport = file
rest:
  driver = accept
  transport = pipe
"""


@pytest.mark.parametrize(
    ("purpose", "router"),
    [
        ("deliver", "no_test"),
        ("test", "sender"),
        ("expn", "sender"),
        ("verify", "only"),
        ("verify_sender", "only"),
    ],
)
async def test_purposes(purpose: str, router: str) -> None:
    (assignment,) = (await RoutingWorld(PURPOSES).route("a@b.test", purpose=purpose)).assignments  # type: ignore[arg-type]
    assert assignment.router == router


async def test_fail_verify() -> None:
    world = RoutingWorld("bad:\n driver = accept\n fail_verify_recipient\n transport = local\n")
    assert summary(await world.route("a@b.test")) == ["a@b.test -> local"]
    assert (await world.route("a@b.test", purpose="verify_sender")).refused == ()
    assert summary(await world.route("a@b.test", purpose="verify")) == [
        "a@b.test ! bad router forced verify failure"
    ]


async def test_verification_follows_a_single_child_only() -> None:
    world = local_world()
    assert (await world.route("root@local.test", purpose="verify")).assignments[
        0
    ].address == "alice@local.test"
    assert summary(await world.route("both@local.test", purpose="verify")) == []
    assert summary(await world.route("nobody@local.test", purpose="verify")) == [
        "nobody@local.test ! Unrouteable address"
    ]


async def test_unseen_goes_on_and_more_ends() -> None:
    world = RoutingWorld("""
copy:
  driver = accept
  unseen
  headers_add = X-Copy: yes
  transport = file
last:
  driver = manualroute
  route_list = never.test x
  no_more
  cannot_route_message = no such $local_part here
  transport = smtp
never:
  driver = accept
  transport = local
""")
    routed = await world.route("a@b.test")
    assert summary(routed) == ["a@b.test -> file", "a@b.test ! no such a here"]
    assert routed.assignments[0].headers_add == ("X-Copy: yes",)


async def test_unseen_copy_is_no_duplicate_and_has_no_header_changes() -> None:
    world = RoutingWorld("""
copy:
  driver = accept
  unseen
  headers_add = X-Copy: yes
  address_data = kept
  transport = file
rest:
  driver = accept
  transport = local
""")
    (routed,) = await world.route_message("a@b.test")
    assert summary(routed) == ["a@b.test -> local", "a@b.test -> file"]
    assert routed.assignments[0].headers_add == ()
    assert routed.assignments[0].address_data == "kept"


async def test_generic_options_reach_the_assignment() -> None:
    world = RoutingWorld("""
r:
  driver = accept
  address_data = data of $local_part
  errors_to = owner-$local_part@$domain
  headers_add = X-A: $address_data\\n b\\nX-B: 2
  headers_remove = Received : X-$local_part
  user = mail
  group = staff
  transport_home_directory = /home/$local_part
  transport = ${if eq{$local_part}{x}{local}{file}}
""")
    (assignment,) = (await world.route("me@b.test")).assignments
    assert assignment.transport == "file"
    assert assignment.errors_to == "owner-me@b.test"
    assert assignment.headers_add == ("X-A: data of me\n b", "X-B: 2")
    assert assignment.headers_remove == ("Received", "X-me")
    assert (assignment.user, assignment.group, assignment.home) == ("8", "50", "/home/me")


async def test_fallback_hosts() -> None:
    world = RoutingWorld(
        """
r:
  driver = manualroute
  route_list = * 10.0.0.1
  fallback_hosts = spare.test::26 : gone.test : 10.0.0.9
  transport = smtp
""",
        zone="spare.test A 198.51.100.1",
    )
    (assignment,) = (await world.route("me@b.test")).assignments
    assert [(host.name, host.addresses, host.port) for host in assignment.fallback_hosts] == [
        ("spare.test", ("198.51.100.1",), 26),
        ("10.0.0.9", ("10.0.0.9",), 0),
    ]


async def test_sender_tests_see_no_sender_while_it_is_verified() -> None:
    world = RoutingWorld("r:\n driver = accept\n senders = s@sender.test\n transport = local\n")
    assert (await world.route("s@sender.test", purpose="verify")).assignments
    assert (await world.route("s@sender.test", purpose="verify_sender")).refused


async def test_caseful_local_part() -> None:
    world = RoutingWorld("r:\n driver = accept\n caseful_local_part\n transport = local\n")
    assert (await world.route("Me@b.test")).assignments[0].local_part == "Me"


async def test_case_counts_in_the_list_of_a_caseful_router() -> None:
    world = RoutingWorld(
        "r:\n driver = accept\n caseful_local_part\n local_parts = ABC\n transport = local\n"
    )
    assert (await world.route("ABC@b.test")).assignments
    assert (await world.route("abc@b.test")).refused


async def test_errors_to_is_verified_as_of_the_null_sender() -> None:
    world = RoutingWorld(
        "r:\n driver = accept\n senders = s@sender.test\n errors_to = err@b.test\n transport = local\n"
    )
    (assignment,) = (await world.route("a@b.test")).assignments
    assert assignment.errors_to is None


async def test_missing_transport_postpones() -> None:
    world = RoutingWorld("r:\n driver = accept\n transport = ${lc:NoWhere}\n")
    assert summary(await world.route("a@b.test")) == ['a@b.test ? transport "nowhere" not found in r router']


async def test_senders_of_mail_do_not_choose_the_transport() -> None:
    world = RoutingWorld("r:\n driver = accept\n transport = $local_part\n")
    routed = await world.route("local@b.test")
    assert summary(routed) == ["local@b.test ? internal configuration error"]
    [line] = routed.log
    assert line.text == "attempt to use tainted value 'local' from '$local_part' for transport"
    assert line.is_panic


@pytest.mark.parametrize(
    "text",
    [
        "a:\n driver = accept\n redirect_router = nobody\n",
        "a:\n driver = accept\nb:\n driver = accept\n pass_router = a\n",
    ],
)
def test_routers_that_name_wrong_routers(text: str) -> None:
    with pytest.raises(ConfigError):
        RoutingWorld(text)


async def test_exploding_redirection_is_bounded() -> None:
    """Each address becomes two longer ones: without a bound it would never end."""
    world = RoutingWorld("r:\n driver = redirect\n data = a$local_part@b.test, b$local_part@b.test\n")
    routed = await world.route("x@b.test")
    assert routed.refused
    assert len(routed.refused) < 100_000


@pytest.mark.parametrize(
    "options",
    [
        "address_data = $local_part\n  file = /etc/forward-$address_data",
        "router_home_directory = /home/$local_part\n  file = $home/.forward",
        "local_part_suffix = +*\n  file = /etc/forward-$local_part_suffix",
    ],
)
async def test_what_the_sender_chose_names_no_file_in_whatever_it_was_put(options: str) -> None:
    world = RoutingWorld(f"only:\n  driver = redirect\n  {options}\n  user = 1000\n  group = 100\n")
    (postponed,) = (await world.route("me+foo@x.test")).postponed
    assert "Tainted name" in str(postponed)
