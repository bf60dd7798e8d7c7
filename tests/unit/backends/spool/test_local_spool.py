"""What is particular to the local spool: restarts, trouble with the disk, segments, Exim's own files."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import pytest
from tests.support.simulated_disk import SimulatedDisk, keep_all

from pillarbox.backends.spool.adopting import recover_all
from pillarbox.backends.spool.body import IN_MEMORY, SpoolBodyWriter
from pillarbox.backends.spool.local import LocalSpool, SlotInUse
from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.message import MemoryBody, Message
from pillarbox.mail.progress import Added, Settled
from pillarbox.ports.spool import MessageGone, SpoolFull
from pillarbox.system.durable import OsDisk, WorkThread

HEADERS = b"Subject: x\n"


class SteppingClock:
    """Sleepers wait until the test lets time pass."""

    def __init__(self) -> None:
        self.passes = asyncio.Event()

    def now(self) -> float:
        return 1_800_000_000.0

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        await self.passes.wait()
        self.passes.clear()


class FailingDisk(SimulatedDisk):
    """Syncs fail while `is_failing`."""

    is_failing = False

    def fdatasync(self, fd: int) -> None:
        if self.is_failing:
            raise OSError(errno.EIO, "input/output error")
        super().fdatasync(fd)

    def pwrite_durable(self, fd: int, data: bytes, offset: int) -> None:
        super().pwrite(fd, data, offset)
        if self.is_failing:
            raise OSError(errno.EIO, "input/output error")
        super().pwrite_durable(fd, data, offset)


def open_spool(
    disk: SimulatedDisk | None,
    directory: str = "/spool",
    *,
    slot: int = 0,
    segments: int = 4,
    segment_size: int = 8192,
) -> LocalSpool:
    return LocalSpool(
        directory, SteppingClock(), slot=slot, disk=disk, segment_size=segment_size, max_segments=segments
    )


async def accept(spool: LocalSpool, body: bytes = b"body\n", helo: str = "") -> str:
    message_id = spool.new_id()
    envelope = Envelope(
        id=message_id,
        sender="a@b",
        recipients=(Recipient("c@d"),),
        origin=Origin(protocol="esmtp", host_address="192.0.2.1", host_port=1, helo=helo),
        received_at=1.5,
    )
    await spool.accept(envelope, Message(HEADERS, MemoryBody(body)))
    return message_id


async def restart(disk: SimulatedDisk) -> LocalSpool:
    spool = open_spool(disk.survivors(len(disk.log), keep_all))
    await spool.start()
    return spool


async def test_recycled_segments_bring_nothing_back() -> None:
    disk = SimulatedDisk()
    spool = open_spool(disk)
    await spool.start()
    finished = []
    for _ in range(120):
        finished.append(await accept(spool, b"x" * 600))
        await spool.finish(finished[-1])
    kept = await accept(spool)
    await spool.stop()
    assert len([name for name in disk.names("/spool/journal/0") if name.endswith(".segment")]) <= 4
    again = await restart(disk)
    assert list(again.waiting()) == [kept]
    await again.stop()


async def test_long_deliveries_do_not_stop_acceptance() -> None:
    """The first messages are never finished; their segments are needed: they are moved and stay held. An eighth of a segment has
    room for a mark for each of them, though every one begins a sector on a slow disk."""
    disk = SimulatedDisk()
    spool = open_spool(disk, segment_size=32768)
    await spool.start()
    slow = [await accept(spool, b"x" * 600) for _ in range(5)]
    spool.record(slow[0], [Settled("c@d", 1.0)])
    for _ in range(300):
        await spool.finish(await accept(spool, b"x" * 600))
    with pytest.raises(MessageGone) as caught:
        await spool.claim(slow[0])
    assert caught.value.is_locked
    async with asyncio.timeout(10):
        while spool.entry(slow[0]) is None:  # noqa: ASYNC110 -- its move goes on behind the scenes
            await asyncio.sleep(0)
    assert "c@d" in spool.entry(slow[0]).settled  # type: ignore[union-attr]
    for message_id in slow[:3]:
        await spool.finish(message_id)
    await spool.park(slow[3])
    await spool.stop()
    again = await restart(disk)
    assert list(again.waiting()) == slow[3:]
    await again.stop()


async def test_no_room_for_more_is_said_and_passes() -> None:
    disk = SimulatedDisk()
    spool = open_spool(disk, segments=2)
    await spool.start()
    disk.room = sum(len(data) for data in disk._data.values()) + 600
    held: list[str] = []
    with pytest.raises(SpoolFull):
        while len(held) < 100:
            held.append(await accept(spool, b"x" * 600))
    with pytest.raises(SpoolFull):
        await spool.park(held[0])
    assert disk.names("/spool/input") == []
    for message_id in held[1:]:
        await spool.finish(message_id)
    disk.room = 1 << 30
    await accept(spool, b"x" * 600)
    await spool.park(held[0])
    await spool.stop()
    again = await restart(disk)
    assert held[0] in list(again.waiting())
    await again.stop()


async def test_full_disk_at_the_start_keeps_mail_in_the_journal_until_there_is_room() -> None:
    disk = SimulatedDisk()
    spool = open_spool(disk)
    await spool.start()
    accepted = [await accept(spool, b"x" * 600) for _ in range(8)]
    await spool.stop()
    disk.room = sum(len(data) for data in disk._data.values()) + 2000
    clock = SteppingClock()
    again = LocalSpool("/spool", clock, disk=disk, segment_size=8192)
    await again.start()
    assert not again.is_recovered
    disk.room = 1 << 30
    clock.passes.set()
    while not again.is_recovered:
        await asyncio.get_running_loop().run_in_executor(None, lambda: None)
    assert list(again.waiting()) == accepted
    await again.stop()


async def test_no_descriptors_left() -> None:
    disk = SimulatedDisk()
    spool = open_spool(disk)
    await spool.start()
    disk.max_open_files = len(disk._files)
    message_id = await accept(spool)
    with pytest.raises(SpoolFull):
        await spool.park(message_id)
    with pytest.raises(SpoolFull):
        spool.body_writer(spool.new_id()).write(b"x" * IN_MEMORY * 2)
    disk.max_open_files += 10
    await spool.park(message_id)
    disk.max_open_files = len(disk._files)
    with pytest.raises(MessageGone) as caught:
        await spool.claim(message_id)
    assert caught.value.is_locked
    disk.max_open_files += 10
    await spool.claim(message_id)
    await spool.stop()


async def test_failed_sync_refuses_its_group_and_gives_up_the_segment() -> None:
    disk = FailingDisk()
    spool = open_spool(disk)
    await spool.start()
    first = await accept(spool)
    disk.is_failing = True
    with pytest.raises(SpoolFull):
        await accept(spool)
    disk.is_failing = False
    second = await accept(spool)
    await spool.stop()
    again = await restart(disk)
    assert list(again.waiting()) == [first, second]
    await again.stop()


async def test_cancelled_accept_keeps_nothing() -> None:
    disk = SimulatedDisk()
    spool = open_spool(disk)
    await spool.start()
    task = asyncio.create_task(accept(spool))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await spool.stop()
    again = await restart(disk)
    assert list(again.waiting()) == []
    await again.stop()


async def test_progress_in_the_lane_survives_kill() -> None:
    disk = SimulatedDisk()
    spool = open_spool(disk)
    await spool.start()
    message_id = await accept(spool)
    spool.record(message_id, [Settled("c@d", 1.0)])
    await spool.stop()
    again = await restart(disk)
    assert (await again.claim(message_id)).progress.settled == {"c@d"}
    await again.stop()


async def test_what_a_power_cut_has_torn_in_the_journal_of_a_message_says_nothing(tmp_path: Path) -> None:
    spool = open_spool(None, str(tmp_path))
    await spool.start()
    message_id = await accept(spool)
    await spool.park(message_id)
    (tmp_path / "input" / f"{message_id}-J").write_bytes(b"c@d\n\0\0\0\0\0e@f\n|cm")
    queued = await spool.claim(message_id)
    assert queued.progress.settled == {"c@d"}
    spool.record(message_id, [Settled("g@h", 1.0)])
    await spool.release(message_id)
    assert (await spool.claim(message_id)).progress.settled == {"c@d", "g@h"}
    await spool.stop()


async def test_progress_of_a_claimed_message_survives_kill(tmp_path: Path) -> None:
    spool = open_spool(None, str(tmp_path))
    await spool.start()
    message_id = await accept(spool)
    await spool.park(message_id)
    await spool.claim(message_id)
    spool.record(message_id, [Settled("c@d", 1.0)])
    await spool.stop()  # without release
    assert (tmp_path / "input" / f"{message_id}-J").read_bytes() == b"c@d\n"
    again = open_spool(None, str(tmp_path))
    await again.start()
    assert (await again.claim(message_id)).progress.settled == {"c@d"}
    await again.release(message_id)
    assert not (tmp_path / "input" / f"{message_id}-J").exists()
    assert b"\nNN c@d\n" in (tmp_path / "input" / f"{message_id}-H").read_bytes()
    await again.stop()


@pytest.mark.parametrize("is_claimed", [False, True])
async def test_replaced_addresses_and_their_children_are_never_apart(is_claimed: bool) -> None:
    """`one_time`: whenever the power goes, either the list is open or all that it led to is there."""
    disk = SimulatedDisk()
    spool = open_spool(disk)
    await spool.start()
    message_id = await accept(spool)
    if is_claimed:
        await spool.park(message_id)
        await spool.claim(message_id)
    begun = len(disk.log)
    children = [Added(f"{n}@list", 2.0, "c@d", "c@d") for n in range(3)]
    spool.record(message_id, [Settled("done@list", 2.0), *children])
    await (spool.release(message_id) if is_claimed else spool.park(message_id))
    await spool.stop()
    states = set()
    for cut in range(begun, len(disk.log) + 1):
        again = open_spool(disk.survivors(cut, keep_all))
        await again.start()
        progress = (await again.claim(message_id)).progress
        await again.release(message_id)
        await again.stop()
        states.add(("c@d" in progress.settled, len(progress.added)))
    assert states == {(False, 0), (True, 3)}


async def test_text_that_is_no_unicode_is_kept(tmp_path: Path) -> None:
    spool = open_spool(None, str(tmp_path))
    await spool.start()
    message_id = await accept(spool, helo="\udcff.example")
    await spool.park(message_id)
    assert (await spool.claim(message_id)).envelope.origin.helo == "\udcff.example"
    await spool.stop()


async def test_newline_in_an_address_is_never_accepted(tmp_path: Path) -> None:
    spool = open_spool(None, str(tmp_path))
    await spool.start()
    envelope = Envelope(id=spool.new_id(), sender="a\nb", recipients=(), origin=Origin(), received_at=1.0)
    with pytest.raises(ValueError, match="newline"):
        await spool.accept(envelope, Message(HEADERS, MemoryBody(b"")))
    await spool.stop()


async def test_slot_belongs_to_one_process(tmp_path: Path) -> None:
    spool = open_spool(None, str(tmp_path))
    await spool.start()
    other = open_spool(None, str(tmp_path))
    with pytest.raises(SlotInUse):
        await other.start()
    await spool.stop()


async def test_messages_of_slots_without_a_worker_are_found(tmp_path: Path) -> None:
    gone, here = open_spool(None, str(tmp_path), slot=7), open_spool(None, str(tmp_path), slot=0)
    await gone.start()
    await here.start()
    left = await accept(gone)
    ours = await accept(here)
    await gone.stop()
    assert await recover_all(str(tmp_path), SteppingClock()) == 1
    assert list(here.waiting()) == [left]
    assert os.listdir(tmp_path / "journal" / "7") == ["lock"]
    await here.park(ours)
    assert await recover_all(str(tmp_path), SteppingClock()) == 0
    await here.stop()


async def test_two_workers_never_hold_one_message(tmp_path: Path) -> None:
    one, two = open_spool(None, str(tmp_path), slot=0), open_spool(None, str(tmp_path), slot=1)
    await one.start()
    await two.start()
    message_id = await accept(one)
    await one.park(message_id)
    await two.claim(message_id)
    with pytest.raises(MessageGone) as caught:
        await one.claim(message_id)
    assert caught.value.is_locked
    await two.finish(message_id)
    with pytest.raises(MessageGone) as caught:
        await one.claim(message_id)
    assert not caught.value.is_locked
    await one.stop()
    await two.stop()


async def test_wire_format_body_of_exim(tmp_path: Path) -> None:
    spool = open_spool(None, str(tmp_path))
    await spool.start()
    message_id = await accept(spool, b"one\ntwo\n")
    await spool.park(message_id)
    header, data = (tmp_path / "input" / f"{message_id}{suffix}" for suffix in ("-H", "-D"))
    header.write_bytes(header.read_bytes().replace(b"-body_linecount 2\n", b"-spool_file_wireformat\n"))
    data.write_bytes(data.read_bytes().replace(b"one\ntwo\n", b"one\r\ntwo\rx\r\n"))
    for _ in range(2):
        body = (await spool.claim(message_id)).message.body
        assert (b"".join(body.chunks()), body.size, body.lines) == (b"one\ntwo\rx\n", 10, 2)
        spool.record(message_id, [Settled("x@y", 1.0)])
        await spool.release(message_id)
    await spool.stop()


async def test_damaged_files_are_reported_with_their_names(tmp_path: Path) -> None:
    reports: list[str] = []
    spool = LocalSpool(
        str(tmp_path), SteppingClock(), segment_size=8192, say=reports.append, keep_malformed=1e10
    )
    await spool.start()
    message_id = await accept(spool)
    await spool.park(message_id)
    header = tmp_path / "input" / f"{message_id}-H"
    header.write_bytes(b"garbage\n")
    assert spool.entry(message_id) is None
    with pytest.raises(MessageGone):
        await spool.claim(message_id)
    assert reports == []
    spool.tell_malformed(message_id)
    assert reports == [f"{message_id} Format error in spool file {message_id}-H: size=8"]
    await spool.stop()


async def test_halves_of_messages_are_removed_when_old(tmp_path: Path) -> None:
    spool = open_spool(None, str(tmp_path))
    await spool.start()
    whole = await accept(spool)
    await spool.park(whole)
    old, young, foreign = (
        tmp_path / "input" / name for name in (f"{spool.new_id()}-D", f"{spool.new_id()}-D", "notes-D")
    )
    for path in (old, young, foreign):
        path.write_bytes(b"x")
    os.utime(old, (1, 1))
    os.utime(young, (1_799_999_000, 1_799_999_000))
    os.utime(foreign, (1, 1))
    os.utime(tmp_path / "input" / f"{whole}-D", (1, 1))
    await spool.stop()
    again = open_spool(None, str(tmp_path))
    await again.start()
    assert set(os.listdir(tmp_path / "input")) == {f"{whole}-D", f"{whole}-H", young.name, "notes-D"}
    await again.stop()


async def test_writer_that_is_discarded_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "body-D"
    writer = SpoolBodyWriter(OsDisk(), str(path), "x", in_memory=10)
    writer.write(b"x" * 100)
    assert path.exists()
    writer.discard()
    assert not path.exists()


async def test_work_thread_answers_in_order_and_passes_errors_on() -> None:
    thread = WorkThread("test")
    done: list[int] = []
    futures = [thread.submit(lambda n=n: done.append(n)) for n in range(5)]  # type: ignore[misc]
    failing = thread.submit(lambda: 1 // 0)
    await asyncio.gather(*futures)
    assert done == [0, 1, 2, 3, 4]
    with pytest.raises(ZeroDivisionError):
        await failing
    thread.stop()


async def test_many_that_come_at_once_get_a_segment_each_while_there_may_be_more() -> None:
    """Those that wait for the next segment fill it together: the last of them wait for the one behind it."""
    disk = SimulatedDisk()
    spool = open_spool(disk, segments=20)
    await spool.start()
    bodies = [b"x" * 1500] * 40
    ids = await asyncio.gather(*(accept(spool, body) for body in bodies))
    assert len(set(ids)) == len(bodies)
    await spool.stop()


async def test_what_another_process_delivers_is_not_parked_again() -> None:
    """Killed anywhere in parking: a neighbour that sees the message in the waiting room delivers it before the journal is replayed."""
    disk = SimulatedDisk()
    spool = open_spool(disk)
    await spool.start()
    message_id = await accept(spool)
    begun = len(disk.log)
    await spool.park(message_id)
    sights = set()
    for cut in range(begun, len(disk.log) + 1):
        found = disk.survivors(cut, keep_all)
        neighbour = open_spool(found, slot=1)
        await neighbour.start()
        is_visible = message_id in neighbour.waiting()
        sights.add(is_visible)
        if is_visible:
            await neighbour.claim(message_id)
            await neighbour.finish(message_id)
        successor = open_spool(found)
        await successor.start()
        assert list(successor.waiting()) == ([] if is_visible else [message_id]), cut
        await successor.stop()
        await neighbour.stop()
    assert sights == {False, True}
    await spool.stop()


async def test_a_parked_header_is_no_leftover_of_a_neighbour(tmp_path: Path) -> None:
    spool = open_spool(None, str(tmp_path))
    await spool.start()
    message_id = spool.new_id()
    await spool.stop()
    names = {f"{message_id}-D", f"{message_id}-H.parked"}
    for name in names:
        (tmp_path / "input" / name).write_bytes(b"x")
        os.utime(tmp_path / "input" / name, (1, 1))
    neighbour = open_spool(None, str(tmp_path), slot=1)
    await neighbour.start()
    assert set(os.listdir(tmp_path / "input")) == names
    await neighbour.stop()


async def test_a_preparation_that_looked_too_early_is_not_the_last_word() -> None:
    """The journal is full when one begins that finds nothing to use again; who asks meanwhile has another look made."""
    spool = open_spool(SimulatedDisk())
    await spool.start()
    lane, looks = spool._lane, []
    prepare = lane._prepare

    async def too_early() -> bool:
        looks.append("early")
        lane._prepare = prepare  # type: ignore[method-assign]
        await asyncio.sleep(0.01)
        return False

    while lane._free or lane._current is None or lane._current.has_room(700, is_mark=False):
        await spool.finish(await accept(spool, b"x" * 600))
        if lane._preparing is not None:
            await lane._preparing
        if len(lane._free) == 1 and not lane._current.has_room(2000, is_mark=False):
            lane._full.append(lane._free.popleft())
    lane._prepare = too_early  # type: ignore[method-assign]
    begun = lane._prepare_soon()
    await spool.finish(await accept(spool, b"x" * 600))
    assert looks == ["early"] and begun.result() is False
    await spool.stop()
