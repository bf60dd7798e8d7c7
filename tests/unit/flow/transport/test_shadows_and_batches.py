"""Shadow transports, batches, size limits, silence, and as whom a delivery runs (Exim chapters 23 to 25)."""

import pytest
from tests.support.delivery_world import World, assigned
from tests.support.local_work import ScriptedWork

from pillarbox.app.configuration import declare_all
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Assignment
from pillarbox.flow.transport.transports.pipe import Pipe
from pillarbox.language.expand.template import Template
from pillarbox.mail.envelope import Recipient
from pillarbox.ports.localwork import Actor, CommandEnd
from pillarbox.ports.users import SystemUser

declare_all()
T = Template.parse


class Machine:
    """alice 1001:1001 (and group 8), root."""

    def user(self, text: str) -> SystemUser | None:
        known = {
            "alice": SystemUser("alice", 1001, 1001, "/home/alice"),
            "root": SystemUser("root", 0, 0, "/root"),
        }
        if text.isdigit():
            return SystemUser("", int(text), -1, "")
        return known.get(text)

    def group(self, text: str) -> int | None:
        return int(text) if text.isdigit() else {"mail": 8}.get(text)

    def groups_of(self, name: str, gid: int) -> tuple[int, ...]:
        return (gid, 8)


def side(*transports: Pipe, ends: tuple[CommandEnd, ...] = (), **more: object) -> tuple[World, ScriptedWork]:
    world = World(
        lambda c: assigned(c, transports[0].name, **more), {t.name: t for t in transports}, retry=""
    )
    work = ScriptedWork(*ends)
    world.services.local_work = work
    world.services.identities = Machine()
    return world, work


def plain(name: str = "p", command: str = "/bin/x", **options: object) -> Pipe:
    return Pipe(name=name, command=T(command), message_prefix=T(""), message_suffix=T(""), **options)


async def delivered(world: World, *recipients: str) -> list[str]:
    queued = await world.accept(*recipients)
    await world.deliver(queued)
    return [line.partition(" ")[2] for line in world.journal.lines if not line.endswith("Completed")]


async def test_the_shadow_gets_a_copy_and_its_trouble_is_only_told():
    main, shadow = plain(shadow_transport="s"), plain("s", "/bin/y", return_output=True)
    world, work = side(main, shadow, ends=(CommandEnd(), CommandEnd(output=b"x")))
    assert await delivered(world, "bob@l.example") == ["=> bob <bob@l.example> R=r T=p ST=s"]
    assert [ran.arguments[0] for ran in work.ran] == ["/bin/x", "/bin/y"]
    world, _ = side(main, shadow, ends=(CommandEnd(), CommandEnd(code=1)))
    assert await delivered(world, "bob@l.example") == [
        "=> bob <bob@l.example> R=r T=p ST=s (Child process of s transport returned 1 from command: /bin/y)"
    ]


async def test_no_shadow_for_what_was_not_delivered_or_not_wanted():
    shadow = plain("s", "/bin/y")
    for condition in ("no", "0", "", "False", "${if eq{a}{b}{x}fail}"):
        world, work = side(plain(shadow_transport="s", shadow_condition=T(condition)), shadow)
        await delivered(world, "bob@l.example")
        assert len(work.ran) == 1
    world, work = side(plain(shadow_transport="s"), shadow, ends=(CommandEnd(code=1),) * 2)
    await delivered(world, "bob@l.example")
    assert [ran.arguments for ran in work.ran] == [("/bin/x",)] * 2  # the second is the bounce


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({}, 3),
        ({"batch_max": 10}, 1),
        ({"batch_max": 2}, 2),
        ({"batch_max": 10, "environment": T("X=$local_part")}, 3),
        ({"batch_max": 10, "environment": T("X=$domain")}, 2),
        ({"batch_max": 10, "headers_add": "X: $local_part"}, 1),
        ({"batch_max": 10, "batch_id": T("${if eq{$original_domain}{one.example}{1}{2}}")}, 2),
        ({"batch_max": 10, "batch_id": T("${if eq{a}{b}{x}fail}")}, 3),
    ],
)
async def test_addresses_share_a_delivery(options: dict[str, object], count: int):
    world, work = side(plain(**options))
    lines = await delivered(world, "a@one.example", "b@one.example", "c@two.example")
    assert len(work.ran) == count
    assert sum(line.startswith("->") for line in lines) == 3 - count


async def test_a_batch_has_no_local_part():
    world, work = side(plain(batch_max=9, use_bsmtp=True))
    await delivered(world, "a@one.example", "b@one.example")
    environment = dict(work.ran[0].environment)
    assert (environment["LOCAL_PART"], environment["DOMAIN"]) == ("", "one.example")
    assert b"RCPT TO:<a@one.example>\nRCPT TO:<b@one.example>\nDATA\n" in work.inputs[0]


async def test_size_limits_may_be_expanded():
    world, work = side(plain(message_size_limit=T("${if eq{$domain}{l.example}{10}{0}}")))
    lines = await delivered(world, "bob@l.example")
    assert lines[0] == "** bob@l.example R=r T=p : message is too big (transport limit = 10)"
    await delivered(world, "bob@m.example")
    assert "bob@m.example" in dict(work.ran[-1].environment)["RECIPIENT"]


async def test_a_silent_transport():
    world, _ = side(plain(disable_logging=True))
    assert await delivered(world, "bob@l.example") == []


@pytest.mark.parametrize(
    ("options", "routed", "actor"),
    [
        ({}, {}, None),
        ({}, {"user": "alice"}, Actor(1001, 1001)),
        ({}, {"user": "alice", "initgroups": True}, Actor(1001, 1001, (1001, 8))),
        ({}, {"user": "alice", "group": "mail"}, Actor(1001, 8)),
        ({"group": T("${if eq{a}{a}{mail}}")}, {"user": "alice"}, Actor(1001, 8)),
        ({"user": T("${if eq{a}{a}{alice}}")}, {"user": "7", "group": "7"}, Actor(1001, 1001)),
        ({"user": T("${if eq{a}{a}{alice}}"), "initgroups": True}, {}, Actor(1001, 1001, (1001, 8))),
    ],
)
async def test_as_whom(options: dict[str, object], routed: dict[str, object], actor: Actor | None):
    world, work = side(plain(**options), **routed)
    await delivered(world, "bob@l.example")
    assert work.ran[0].actor == actor


@pytest.mark.parametrize(
    ("options", "log"),
    [
        ({"user": T("${if eq{a}{a}{root}}")}, "User 0 set for p transport is on the fixed_never_users list"),
        ({"user": T("${if eq{a}{a}{12}}")}, "User set without group for p transport"),
        (
            {"user": T("${if eq{a}{a}{who}}")},
            'Failed to find user "who" from expanded string "${if eq{a}{a}{who}}" for the p transport',
        ),
        (
            {"home_directory": T("${if eq{a}{b}{x}fail}")},
            'home directory "${if eq{a}{b}{x}fail}" failed to expand for p transport: "if" failed and "fail" requested',
        ),
        ({"current_directory": T("x")}, 'current directory path "x" is not absolute for p transport'),
    ],
)
async def test_what_cannot_be_run_waits(options: dict[str, object], log: str):
    world, work = side(plain(**options))
    assert (await delivered(world, "bob@l.example"))[0] == f"== bob@l.example R=r T=p defer: {log}"
    assert not work.ran


async def test_headers_are_rewritten_as_the_copy_leaves():
    from pillarbox.language.match.named import NamedLists
    from pillarbox.language.rewrite.rules import RewriteRules, parse_rewrite_rule

    rule = parse_rewrite_rule("*@old.example $1@new.example f", NamedLists(), is_for_transport=True)
    rules = RewriteRules((rule,))
    world, work = side(plain(headers_rewrite=rules, headers_add="From: z@old.example"))
    queued = await world.accept("bob@l.example", headers=b"From: A <a@old.example>\nTo: b@old.example\n")
    await world.deliver(queued)
    assert work.inputs[0].startswith(b"From: A <a@new.example>\nTo: b@old.example\nFrom: z@old.example\n\n")


async def test_retry_keys_leave_the_local_part_out_when_told():
    candidate = Candidate.first(Recipient("bob@l.example"))
    assignment = Assignment(candidate=candidate, router="r", transport="p")
    assert plain().retry_key_of(assignment) == "T:bob@l.example"
    assert plain(retry_use_local_part=False).retry_key_of(assignment) == "T:l.example"
