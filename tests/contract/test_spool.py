"""The promises of ports/spool.py, asked of every backend."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from tests.support.clock import JumpClock
from tests.support.simulated_disk import SimulatedDisk

from pillarbox.backends.spool.local import LocalSpool
from pillarbox.backends.spool.memory import MemorySpool
from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.message import Message
from pillarbox.mail.progress import Added, Attempted, Frozen, HeadersChanged, Settled, Thawed, Warned
from pillarbox.ports.spool import MessageGone, Spool, SpoolFull
from pillarbox.system.durable import OsDisk
from pillarbox.wire.exim.message_id import is_message_id

HEADERS = b"From: a@example.org\nSubject: one\n two\nX-Odd:\xff\x00 bytes\n"
SMALL = b"line\n.\n\n\xe9\x00\n"
LARGE = b"0123456789abcdef0123456789abcdef\n" * 20_000


@asynccontextmanager
async def open_spool(kind: str, directory: Path, clock: JumpClock, room: int = 0) -> AsyncIterator[Spool]:
    if kind == "memory":
        yield MemorySpool(clock, capacity=room or 1 << 26)
        return
    disk = SimulatedDisk(room) if room else OsDisk()
    spool = LocalSpool(str(directory), clock, disk=disk, segment_size=1 << 20)
    await spool.start()
    yield spool
    await spool.stop()


@pytest.fixture(params=["memory", "local"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def spool(kind: str, tmp_path: Path) -> AsyncIterator[Spool]:
    async with open_spool(kind, tmp_path, JumpClock()) as opened:
        yield opened


def envelope(spool: Spool, **changes: object) -> Envelope:
    made = Envelope(
        id=spool.new_id(),
        sender="alice@example.org",
        recipients=(Recipient("bob@example.net"), Recipient("carol@example.net", ("FAILURE",), "rfc822;c@x")),
        origin=Origin(protocol="esmtp", host_address="192.0.2.1", host_port=4321, helo="client.example"),
        received_at=1_800_000_000.25,
    )
    return msgspec.structs.replace(made, **changes)


def message(spool: Spool, message_id: str, body: bytes) -> Message:
    writer = spool.body_writer(message_id)
    for start in range(0, len(body), 50_000):
        writer.write(body[start : start + 50_000])
    return Message(HEADERS, writer.finish())


async def accept(spool: Spool, body: bytes = SMALL, **changes: object) -> str:
    facts = envelope(spool, **changes)
    held = await spool.accept(facts, message(spool, facts.id, body))
    assert held.envelope == facts
    return facts.id


def content(found: Message) -> tuple[bytes, bytes]:
    return found.headers, b"".join(found.body.chunks())


async def test_ids_are_unique_when_the_clock_jumps_back(kind: str, tmp_path: Path) -> None:
    clock = JumpClock()
    async with open_spool(kind, tmp_path, clock) as spool:
        ids = []
        for _ in range(5):
            ids += [spool.new_id() for _ in range(10)]
            clock.wall -= 100
    assert all(map(is_message_id, ids))
    assert len(set(ids)) == 50
    assert ids == sorted(ids)


@pytest.mark.parametrize("body", [b"", SMALL, LARGE], ids=["empty", "small", "large"])
async def test_parked_message_comes_back_as_it_was(spool: Spool, body: bytes) -> None:
    facts = envelope(spool)
    held = await spool.accept(facts, message(spool, facts.id, body))
    assert content(held.message) == (HEADERS, body)
    assert (held.message.body.size, held.message.body.lines) == (len(body), body.count(b"\n"))
    await spool.park(facts.id)
    claimed = await spool.claim(facts.id)
    assert claimed.envelope == facts
    assert content(claimed.message) == (HEADERS, body)
    assert content(claimed.message) == (HEADERS, body)
    assert (claimed.message.body.size, claimed.message.body.lines) == (len(body), body.count(b"\n"))


async def test_only_parked_messages_are_listed_oldest_first(spool: Spool) -> None:
    ids = [await accept(spool) for _ in range(4)]
    assert list(spool.waiting()) == []
    for message_id in reversed(ids[:3]):
        await spool.park(message_id)
    assert list(spool.waiting()) == ids[:3]
    assert spool.entry(ids[3]) is None


async def test_entry_shows_what_mailq_needs(spool: Spool) -> None:
    message_id = await accept(spool, LARGE, sender=None)
    spool.record(message_id, [Settled("bob@example.net", 1.0), Frozen(1_800_000_100.0)])
    await spool.park(message_id)
    entry = spool.entry(message_id)
    assert entry is not None
    assert (entry.id, entry.sender, entry.settled) == (message_id, None, {"bob@example.net"})
    assert entry.recipients == ("bob@example.net", "carol@example.net")
    assert (entry.size, entry.received_at) == (len(HEADERS) + 1 + len(LARGE), 1_800_000_000.25)
    assert entry.frozen_at == 1_800_000_100.0


@pytest.mark.parametrize("body", [SMALL, LARGE], ids=["small", "large"])
async def test_progress_survives_parking_and_release(spool: Spool, body: bytes) -> None:
    message_id = await accept(spool, body)
    spool.record(message_id, [Settled("bob@example.net", 1.0), Warned(2.0), Attempted(3.0, 903.0)])
    await spool.park(message_id)
    claimed = await spool.claim(message_id)
    assert claimed.progress.settled == {"bob@example.net"}
    assert (claimed.progress.warnings, claimed.progress.attempts) == (1, 1)
    assert (claimed.progress.last_attempt_at, claimed.progress.next_at) == (3.0, 903.0)
    spool.record(message_id, [Settled("carol@example.net", 4.0), Frozen(5.0)])
    await spool.release(message_id)
    again = await spool.claim(message_id)
    assert again.progress.settled == {"bob@example.net", "carol@example.net"}
    assert (again.progress.frozen_at, again.progress.attempts) == (5.0, 1)
    spool.record(message_id, [Thawed(6.0, by_hand=True)])
    await spool.release(message_id)
    assert (await spool.claim(message_id)).progress.thawed_by_hand


@pytest.mark.parametrize("body", [SMALL, LARGE], ids=["small", "large"])
async def test_changed_headers_are_there_after_parking_and_release(spool: Spool, body: bytes) -> None:
    message_id = await accept(spool, body)
    spool.record(message_id, [HeadersChanged(b"X-One: 1\n", 1.0)])
    await spool.park(message_id)
    claimed = await spool.claim(message_id)
    assert claimed.message.headers == b"X-One: 1\n"
    spool.record(message_id, [HeadersChanged(b"X-Two: \xff\n\t2\n", 2.0), Attempted(3.0, 903.0)])
    await spool.release(message_id)
    again = await spool.claim(message_id)
    assert again.message.headers == b"X-Two: \xff\n\t2\n"
    assert b"".join(again.message.body.chunks()) == body


async def test_added_recipient_is_there_after_release(spool: Spool) -> None:
    message_id = await accept(spool)
    await spool.park(message_id)
    await spool.claim(message_id)
    spool.record(message_id, [Added("dora@example.net", 1.0)])
    await spool.release(message_id)
    entry = spool.entry(message_id)
    assert entry is not None
    assert entry.recipients == ("bob@example.net", "carol@example.net", "dora@example.net")


async def test_held_message_cannot_be_claimed_or_removed(spool: Spool) -> None:
    message_id = await accept(spool)
    for attempt in (spool.claim, spool.remove):
        with pytest.raises(MessageGone) as caught:
            await attempt(message_id)
        assert caught.value.is_locked
    await spool.park(message_id)
    await spool.claim(message_id)
    assert list(spool.waiting()) == [message_id]
    with pytest.raises(MessageGone) as caught:
        await spool.claim(message_id)
    assert caught.value.is_locked


async def test_shown_message_is_listed_stays_held_and_can_end_either_way(spool: Spool) -> None:
    ids = []
    for _ in range(2):
        ids.append(await accept(spool))
        await spool.show(ids[-1])
        await spool.show(ids[-1])
        with pytest.raises(MessageGone):
            await spool.claim(ids[-1])
    assert list(spool.waiting()) == sorted(ids)
    assert spool.entry(ids[0]) is not None
    await spool.finish(ids[0])
    await spool.park(ids[1])
    assert list(spool.waiting()) == [ids[1]]
    await spool.show(ids[0])


@pytest.mark.parametrize("body", [SMALL, LARGE], ids=["small", "large"])
async def test_finished_message_is_gone(spool: Spool, body: bytes) -> None:
    fast, slow = await accept(spool, body), await accept(spool, body)
    await spool.finish(fast)
    await spool.park(slow)
    await spool.claim(slow)
    await spool.finish(slow)
    for message_id in (fast, slow):
        with pytest.raises(MessageGone) as caught:
            await spool.claim(message_id)
        assert not caught.value.is_locked
        assert spool.entry(message_id) is None
    assert list(spool.waiting()) == []


async def test_removed_message_is_gone(spool: Spool) -> None:
    message_id = await accept(spool)
    await spool.park(message_id)
    await spool.remove(message_id)
    assert list(spool.waiting()) == []
    with pytest.raises(MessageGone):
        await spool.remove(message_id)


async def test_what_is_not_held_cannot_be_changed(spool: Spool) -> None:
    message_id = await accept(spool)
    await spool.park(message_id)
    with pytest.raises(MessageGone):
        spool.record(message_id, [Frozen(1.0)])
    for attempt in (spool.finish, spool.park, spool.release):
        with pytest.raises(MessageGone):
            await attempt(message_id)
    with pytest.raises(MessageGone):
        await spool.claim("1vMXYZ-000000001Lk-1abc")
    with pytest.raises(MessageGone):
        await spool.claim("../../etc/passwd")
    assert spool.entry("../../etc/passwd") is None


async def test_many_at_once(spool: Spool) -> None:
    ids = await asyncio.gather(*(accept(spool, SMALL * n) for n in range(60)))
    await asyncio.gather(*(spool.park(i) for i in ids[::2]), *(spool.finish(i) for i in ids[1::2]))
    assert list(spool.waiting()) == sorted(ids[::2])
    held = await asyncio.gather(*(spool.claim(i) for i in ids[::2]))
    assert [content(h.message)[1] for h in held] == [SMALL * n for n in range(0, 60, 2)]


async def test_full_spool_refuses_and_goes_on_when_there_is_room(kind: str, tmp_path: Path) -> None:
    async with open_spool(kind, tmp_path, JumpClock(), room=8 << 20) as spool:
        kept: list[str] = []
        with pytest.raises(SpoolFull):
            while len(kept) < 200:
                kept.append(await accept(spool, SMALL * 9_000))
        assert len(kept) > 10
        for message_id in kept:
            await spool.finish(message_id)
        await accept(spool, SMALL * 9_000)


async def test_discarded_body_leaves_nothing(spool: Spool) -> None:
    message_id = spool.new_id()
    writer = spool.body_writer(message_id)
    writer.write(LARGE)
    writer.discard()
    writer.discard()
    finished = spool.body_writer(message_id)
    finished.write(LARGE)
    finished.finish()
    finished.discard()
    assert list(spool.waiting()) == []
    with pytest.raises(MessageGone):
        await spool.claim(message_id)
