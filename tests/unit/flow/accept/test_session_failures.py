"""What goes wrong inside costs one connection, leaks nothing, and loses nothing that was accepted."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pytest
from tests.support.conversation import Client
from tests.support.world import AcceptWorld

from pillarbox.backends.spool.memory import MemoryBodyWriter
from pillarbox.mail.reply import Reply
from pillarbox.ports.spool import SpoolFull

OPENING = [
    "S: 220 …",
    "C: EHLO cl.test",
    "S: 250 …",
    "C: MAIL FROM:<s@x.test>",
    "C: RCPT TO:<a@local.test>",
    "C: DATA",
]
GO = ["S: 250 …", "S: 250 …", "S: 354 …"]
LARGE = ["C: Subject: x", "C:", "C: (4000 times) thirty octets of very little use"]


async def play(world: AcceptWorld, script: Iterable[str]) -> Client:
    client = Client(list(script), world=world)
    await world.session(client).run()
    if client.failure:
        raise client.failure
    client.hear()
    assert not client.script
    assert client.is_closed
    return client


class Writers:
    """A spool's body writers, counted."""

    def __init__(self, world: AcceptWorld, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made = 0
        self.discarded = 0
        counter = self

        class Writer(MemoryBodyWriter):
            def discard(self) -> None:
                counter.discarded += 1
                super().discard()

        def make(message_id: str) -> Writer:
            counter.made += 1
            return Writer(lambda size: True)

        monkeypatch.setattr(world.spool, "body_writer", make)


async def test_a_mistake_in_a_step_is_a_421(monkeypatch: pytest.MonkeyPatch) -> None:
    world = AcceptWorld()
    writers = Writers(world, monkeypatch)

    async def broken(*_: object) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(world.spool, "accept", broken)
    await play(world, [*OPENING, *GO, *LARGE, "C: .", "S: 421 4.3.0 Unexpected failure, please try later"])
    assert "RuntimeError: a mistake" in world.journal.panic_lines[0]
    assert writers.made == writers.discarded == 1
    monkeypatch.undo()
    await play(world, [*OPENING, *GO, "C: .", "S: 250 …", "C: QUIT", "S: 221 …"])
    assert len(world.accepted) == 1


@pytest.mark.parametrize(
    "end",
    [
        ["C: (close)", "S: 421 …"],
        ["C: (lost)"],
        ["C: (timeout)", "S: 421 …"],
        ["C: bare\rcr", "C: .", "S: 550 …", "C: QUIT", "S: 221 …"],
    ],
    ids=["closed", "lost", "timeout", "refused"],
)
async def test_half_a_body_is_discarded(end: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    world = AcceptWorld()
    writers = Writers(world, monkeypatch)
    await play(world, [*OPENING, *GO, *LARGE, *end])
    assert writers.made == 1
    assert writers.discarded >= 1
    assert not world.accepted


async def test_what_is_accepted_is_answered_250_even_when_it_cannot_be_parked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = AcceptWorld("begin acl\nrcpt:\n  accept control = queue\n")

    async def full(_: str) -> None:
        raise SpoolFull("no room")

    monkeypatch.setattr(world.spool, "park", full)
    await play(world, [*OPENING, *GO, "C: .", "S: 250 …", "C: QUIT", "S: 221 …"])
    assert len(world.accepted) == 1
    assert "cannot be queued" in world.journal.panic_lines[0]


async def test_a_bad_received_header_defers(monkeypatch: pytest.MonkeyPatch) -> None:
    world = AcceptWorld("received_header_text = ${lookup{x}lsearch{/missing}}\n")
    await play(world, [*OPENING, *GO, "C: .", "S: 451 …", "C: QUIT", "S: 221 …"])
    assert world.journal.panic_lines


async def test_a_shutdown_says_421_and_logs_nothing() -> None:
    world = AcceptWorld()
    client = Client(["S: 220 …", "S: 421 4.3.2 closing"], world=world)
    session = world.session(client)

    async def read(timeout: float) -> bytes:
        await session.close_with(Reply(421, "closing", "4.3.2"))
        return b""

    client.read = read  # type: ignore[method-assign]
    await session.run()
    client.hear()
    assert client.is_closed
    assert world.journal.main_lines == []


async def test_a_client_cannot_make_added_headers_grow() -> None:
    world = AcceptWorld(
        "begin acl\nrcpt:\n  accept add_header = X-To: $local_part ${expand:x}\n".replace(" ${expand:x}", "")
    )
    script = ["S: 220 …", "C: EHLO cl.test", "S: 250 …", "C: MAIL FROM:<s@x.test>", "S: 250 …"]
    for number in range(600):
        script += [f"C: RCPT TO:<{number:060d}@local.test>", "S: 250 …"]
    from pillarbox.flow.check.acl import state

    client = Client([*script, "C: DATA", "S: 354 …", "C: .", "S: 250 …", "C: QUIT", "S: 221 …"], world=world)
    session = world.session(client)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(state, "HEADERS_MAX", 2000)
        await session.run()
    if client.failure:
        raise client.failure
    assert len(world.accepted[0].message.headers) < 3000


async def test_sessions_keep_the_policy_they_began_with() -> None:
    world = AcceptWorld()
    client = Client(["S: 220 …", "C: QUIT", "S: 221 2.0.0 mx.test closing connection"], world=world)
    session = world.session(client)
    world.policy = msgspec.structs.replace(world.policy, primary_hostname="other.test")
    await session.run()
    assert client.failure is None
