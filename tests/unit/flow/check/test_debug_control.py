"""`control = debug`: what goes to which file. Names, existence and options as Exim 4.100 has them, but for the plain control."""

from __future__ import annotations

import pytest
from tests.support.conversation import Client
from tests.support.world import AcceptWorld

from pillarbox.flow.check.debug_log import MAX_HELD, DebugWish, read_debug


async def talk(*controls: str) -> AcceptWorld:
    """One RCPT for each control."""
    lines = [f"  accept local_parts = r{number}\n         {text}" for number, text in enumerate(controls)]
    world = AcceptWorld("begin acl\nrcpt:\n" + "\n".join([*lines, "  accept\n"]))
    script = ["S: 220 …", "C: EHLO x.test", "S: 250 …", "C: MAIL FROM:<a@x.test>", "S: 250 …"]
    for number in range(len(controls)):
        script += [f"C: RCPT TO:<r{number}@local.test>", "S: …"]
    client = Client([*script, "C: (close)", "S: 421 …"], world=world)
    await world.session(client).run()
    if client.failure:
        raise client.failure
    return world


def debug(options: str = "") -> str:
    return f"control = debug{options}"


async def test_commands_acls_and_replies_are_told() -> None:
    world = await talk(debug("/tag=.one"), "local_parts = r1")
    [(tag, text)] = world.journal.debug_texts.items()
    assert tag == ".one"
    lines = text.splitlines()
    assert lines[:3] == [
        "accept: condition test succeeded in ACL rcpt",
        "end of ACL rcpt: ACCEPT",
        "SMTP>> 250 Accepted",
    ]
    assert lines[3:5] == ["SMTP<< RCPT TO:<r1@local.test>", 'using ACL "rcpt"']
    assert lines[5].startswith('processing ACL rcpt "accept" (')
    assert lines[6:10] == [
        "check local_parts = r0",
        'r1 in "r0"?',
        " list element: r0",
        'r1 in "r0"? no (end of list)',
    ]


async def test_arguments_are_told_as_they_are_now() -> None:
    world = await talk(debug("/tag=.one"), "condition = ${if eq{$local_part}{r1}}", "message = no $domain")
    [text] = world.journal.debug_texts.values()
    at = text.splitlines().index("check condition = ${if eq{$local_part}{r1}}")
    assert text.splitlines()[at + 1] == "                = true"
    assert "  message: no $domain" in text.splitlines()


@pytest.mark.parametrize(
    ("controls", "tags"),
    [
        (["/tag=/../x"], [""]),
        ([""], [""]),
        (["/what/tag=unk"], ["unk"]),
        (["/tag=a", "/tag=b"], ["a"]),
        (["/tag=a", "/kill"], []),
        (["/tag=a", "/stop"], ["a"]),
        (["/tag=a", "/stop", "/tag=b"], ["a", "b"]),
        (["/tag=a", "/stop", "/kill"], ["a"]),
        (["/kill"], []),
        (["/trigger=now"], []),
        (["/tag=$acl_c_none"], [""]),
    ],
)
async def test_files(controls: list[str], tags: list[str]) -> None:
    world = await talk(*map(debug, controls))
    assert sorted(world.journal.debug_texts) == tags
    assert not world.journal.panic_lines


async def test_stopped_means_silent() -> None:
    world = await talk(debug("/tag=a"), debug("/stop"), "set acl_c0 = 1")
    assert "r2" not in world.journal.debug_texts["a"]


async def test_topics() -> None:
    text = (await talk(debug("/opts=-all+acl"), "delay = 0s")).journal.debug_texts[""]
    assert "SMTP" not in text
    assert "using ACL" in text
    assert "list element" not in text


async def test_an_unknown_topic() -> None:
    world = await talk(debug("/opts=+nosuch"))
    assert world.journal.panic_lines == [
        "Exim configuration error:\\n  unknown debug_selector setting: +nosuch"
    ]
    assert "SMTP>>" in world.journal.debug_texts[""]


async def test_a_tag_of_the_client() -> None:
    world = await talk(debug("/tag=.$sender_helo_name"))
    assert world.journal.panic_lines == ["tainted tag for debug log filename"]
    assert not world.journal.debug_texts


async def test_held_until_triggered() -> None:
    held = (await talk(debug("/pretrigger=2000/trigger=paniclog"), "set acl_c0 = 1")).journal
    assert held.debug_texts == {"": ""}
    pulled = (await talk(debug("/pretrigger=2000"), debug("/trigger=now"))).journal.debug_texts[""]
    assert pulled.startswith("accept: condition test succeeded")
    assert "SMTP<< RCPT TO:<r1@local.test>" in pulled
    few = (await talk(debug("/pretrigger=60"), debug("/trigger=now"))).journal.debug_texts[""]
    assert "SMTP<<" not in few and "SMTP>>" in few


async def test_a_panic_pulls() -> None:
    held = debug("/pretrigger=2000/trigger=paniclog")
    world = await talk(held, "logwrite = :panic: help")
    assert "SMTP<< RCPT TO:<r1@local.test>" in world.journal.debug_texts[""]


async def test_nothing_is_changed_without_it() -> None:
    world = AcceptWorld("begin acl\nrcpt:\n  accept\n")
    assert type(world.policy.acls["rcpt"]).__name__ == "Acl"


def test_reading() -> None:
    assert read_debug("") == DebugWish()
    assert read_debug("tag=x/opts=+acl/pretrigger=9999999999/trigger=paniclog") == DebugWish(
        tag="x", opts="+acl", pretrigger=MAX_HELD, trigger="paniclog"
    )
    assert read_debug("opts=/kill/stop/trigger=what") == DebugWish(is_killed=True, is_stopped=True)
