"""The power fails at every step of accepting, delivering and parking: nothing that was answered for is lost or damaged."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from tests.support.clock import StoppedClock
from tests.support.simulated_disk import Choice, SimulatedDisk, drop_all, keep_all, keep_some

from pillarbox.backends.spool.local import LocalSpool
from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.message import Message
from pillarbox.mail.progress import Attempted, Settled

HEADERS = b"Subject: what the power cut left\nReceived: by us\n\tfor you\n"
Sent = dict[str, tuple[Envelope, bytes]]


def open_spool(disk: SimulatedDisk, reports: list[str] | None = None) -> LocalSpool:
    return LocalSpool(
        "/spool",
        StoppedClock(),
        disk=disk,
        segment_size=8192,
        max_segments=3,
        in_memory=4096,
        report=(reports if reports is not None else []).append,
    )


async def accept(spool: LocalSpool, disk: SimulatedDisk, chooser: random.Random, sent: Sent) -> str:
    envelope = Envelope(
        id=spool.new_id(),
        sender="alice@example.org",
        recipients=(Recipient("bob@example.net"), Recipient("carol@example.net", ("FAILURE", "DELAY"))),
        origin=Origin(protocol="esmtp", host_address="192.0.2.1", host_port=25, helo="client"),
        received_at=1_800_000_000.5,
    )
    body = b"%b\n" % envelope.id.encode() * chooser.choice((0, 10, 60, 250))
    sent[envelope.id] = envelope, body
    writer = spool.body_writer(envelope.id)
    writer.write(body)
    await spool.accept(envelope, Message(HEADERS, writer.finish()))
    disk.mark("accepted", envelope.id)
    return envelope.id


async def settle(spool: LocalSpool, disk: SimulatedDisk, message_id: str, address: str) -> None:
    spool.record(message_id, [Settled(address, 1.0), Attempted(2.0, 900.0)])
    await spool.park(message_id)
    disk.mark("settled", message_id, address)


async def work(spool: LocalSpool, disk: SimulatedDisk, seed: int, sent: Sent) -> None:
    """One message after another, each to a random end."""
    chooser = random.Random(seed)
    for _ in range(6):
        message_id = await accept(spool, disk, chooser, sent)
        end = chooser.choice(("finish", "park", "retry", "deliver", "hold"))
        if end == "hold":
            continue
        if end != "finish":
            await settle(spool, disk, message_id, "bob@example.net")
        if end in ("retry", "deliver"):
            await spool.claim(message_id)
        if end == "retry":
            await settle(spool, disk, message_id, "carol@example.net")
        if end in ("finish", "deliver"):
            disk.mark("finishing", message_id)
            await spool.finish(message_id)


async def record_scenario(seed: int) -> tuple[SimulatedDisk, Sent]:
    disk, sent = SimulatedDisk(), Sent()
    spool = open_spool(disk)
    await spool.start()
    await asyncio.gather(*(work(spool, disk, seed * 10 + n, sent) for n in range(3)))
    await spool.stop()
    return disk, sent


def facts(log: list[Any], cut: int, kind: str) -> list[tuple[Any, ...]]:
    return [entry[2:] for entry in log[:cut] if entry[:2] == ("mark", kind)]


async def recover_and_check(after: SimulatedDisk, before: SimulatedDisk, cut: int, sent: Sent) -> None:
    reports: list[str] = []
    spool = open_spool(after, reports)
    await spool.start()
    found = list(spool.waiting())
    promised = {i for (i,) in facts(before.log, cut, "accepted")} - {
        i for (i,) in facts(before.log, cut, "finishing")
    }
    assert promised <= set(found), (cut, promised - set(found), reports)
    settled = {(i, address) for i, address in facts(before.log, cut, "settled") if i in promised}
    for message_id in found:
        queued = await spool.claim(message_id)
        body = b"".join(queued.message.body.chunks())
        assert (queued.envelope, body) == sent[message_id], (cut, message_id)
        assert queued.message.headers == HEADERS
        assert {a for i, a in settled if i == message_id} <= queued.progress.settled, (cut, message_id)
        await spool.release(message_id)
    assert not reports
    await spool.stop()


@pytest.mark.parametrize("kind", ["dropped", "kept", "torn"])
@pytest.mark.parametrize("seed", [1, 2])
async def test_no_cut_loses_or_damages_what_was_accepted(seed: int, kind: str) -> None:
    disk, sent = await record_scenario(seed)
    assert len(facts(disk.log, len(disk.log), "accepted")) == 18
    for cut in range(len(disk.log) + 1):
        choice: Choice = {"dropped": drop_all, "kept": keep_all, "torn": keep_some(seed * 10_000 + cut)}[kind]
        await recover_and_check(disk.survivors(cut, choice), disk, cut, sent)


async def test_second_cut_in_the_midst_of_recovery() -> None:
    disk, sent = await record_scenario(3)
    chooser = random.Random(3)
    for _ in range(60):
        cut = chooser.randrange(len(disk.log))
        first = disk.survivors(cut, keep_some(cut))
        start = len(first.log)
        spool = open_spool(first)
        await spool.start()
        await spool.stop()
        second = first.survivors(chooser.randrange(start, len(first.log)), keep_some(cut + 1))
        await recover_and_check(second, disk, cut, sent)
