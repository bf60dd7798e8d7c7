"""Named queues, split layouts, and messages on their way from one to the other."""

from __future__ import annotations

import pytest
from tests.support.clock import JumpClock
from tests.support.simulated_disk import SimulatedDisk, keep_all

from pillarbox.backends.spool.local import LocalSpool
from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.message import MemoryBody, Message
from pillarbox.mail.progress import Settled
from pillarbox.ports.spool import MessageGone


def open_spool(disk: SimulatedDisk, *, is_split: bool = False, queue: str = "") -> LocalSpool:
    return LocalSpool(
        "/spool", JumpClock(), disk=disk, segment_size=8192, max_segments=4, is_split=is_split, queue=queue
    )


async def accept(spool: LocalSpool, *, queue: str = "", body: bytes = b"body\n") -> str:
    message_id = spool.new_id()
    envelope = Envelope(
        id=message_id,
        sender="a@b",
        recipients=(Recipient("c@d"), Recipient("e@f")),
        origin=Origin(),
        received_at=1.5,
        queue=queue,
    )
    await spool.accept(envelope, Message(b"Subject: x\n", MemoryBody(body)))
    return message_id


async def park(spool: LocalSpool, *, queue: str = "", body: bytes = b"body\n") -> str:
    message_id = await accept(spool, queue=queue, body=body)
    await spool.park(message_id)
    return message_id


@pytest.mark.parametrize("size", [10, 9000], ids=["by the journal", "at once"])
async def test_a_named_queue_is_a_room_of_its_own(size: int) -> None:
    disk = SimulatedDisk()
    spool = open_spool(disk)
    await spool.start()
    message_id = await park(spool, queue="slow", body=b"x" * size)
    assert list(spool.waiting()) == []
    with pytest.raises(MessageGone):
        await spool.claim(message_id)
    slow = spool.named("slow")
    assert list(slow.waiting()) == [message_id]
    queued = await slow.claim(message_id)
    assert queued.envelope.queue == "slow" and queued.message.body.size == size
    assert spool.queue_of(message_id) == "slow"
    await slow.finish(message_id)
    assert disk.names("/spool/slow/input") == [] and list(slow.waiting()) == []
    await spool.stop()


async def test_what_the_journal_has_of_a_named_queue_goes_there_at_the_next_start() -> None:
    disk = SimulatedDisk()
    spool = open_spool(disk)
    await spool.start()
    message_id = await accept(spool, queue="slow")
    again = open_spool(disk.survivors(len(disk.log), keep_all))
    assert await again.start() == 1
    assert list(again.waiting()) == [] and list(again.named("slow").waiting()) == [message_id]
    await again.stop()
    await spool.stop()


async def test_a_command_may_look_at_a_named_queue_alone() -> None:
    disk = SimulatedDisk()
    spool = open_spool(disk, queue="slow")
    await spool.start()
    message_id = await park(spool)
    assert list(spool.waiting()) == [message_id]
    assert f"{message_id}-H" in disk.names("/spool/slow/input")
    await spool.stop()


async def test_a_split_spool_finds_both_layouts() -> None:
    disk = SimulatedDisk()
    spool = open_spool(disk)
    await spool.start()
    plain = await park(spool)
    await spool.stop()
    spool = open_spool(disk, is_split=True)
    await spool.start()
    split = await park(spool)
    assert f"{split}-H" in disk.names(f"/spool/input/{split[5]}")
    assert sorted(spool.waiting()) == sorted([plain, split])
    for message_id in (plain, split):
        await spool.claim(message_id)
        spool.record(message_id, [Settled("c@d", 1.0)])
        await spool.release(message_id)
        entry = spool.entry(message_id)
        assert entry is not None and entry.settled == frozenset({"c@d"})
    await spool.remove(plain)
    await spool.remove(split)
    assert list(spool.waiting()) == []
    await spool.stop()
    spool = open_spool(disk)
    await spool.start()
    assert list(spool.waiting()) == []
    await spool.stop()


@pytest.mark.parametrize("is_split", [False, True])
async def test_a_message_moves_to_another_queue_with_all_it_has(is_split: bool) -> None:
    disk = SimulatedDisk()
    spool = open_spool(disk, is_split=is_split)
    await spool.start()
    message_id = await park(spool)
    await spool.move(message_id, "/spool/slow")
    assert list(spool.waiting()) == []
    queued = await spool.named("slow").claim(message_id)
    assert [each.address for each in queued.envelope.recipients] == ["c@d", "e@f"]
    with pytest.raises(MessageGone):
        await spool.move(message_id, "/spool/fast")
    await spool.named("slow").release(message_id)
    await spool.named("slow").move(message_id, "/spool")
    assert list(spool.waiting()) == [message_id]
    await spool.stop()


async def test_frozen_messages_move_out_of_the_queue() -> None:
    disk = SimulatedDisk()
    spool = open_spool(disk)
    await spool.start()
    message_id = await park(spool)
    await spool.move(message_id, "/spool", "F")
    assert sorted(disk.names("/spool/Finput")) == [f"{message_id}-D", f"{message_id}-H"]
    assert list(spool.waiting()) == []
    await spool.stop()
