"""The local spool: a journal as the fast lane, -H and -D files as the waiting room.

    SPOOL/journal/<slot>/…   what this worker has accepted and not yet delivered (`lane`, `segment`, `record`)
    SPOOL/input/ID-H, ID-D   what waits (`waiting`), for every worker and for Exim's own tools
    SPOOL/msglog/ID          the message's own log

A message is held by one process at a time: in the fast lane by the slot that accepted it, in the waiting room by whoever has the
lock on -D. It goes from the lane to the room in this order: files, sync, MOVED mark, sync, -H gets its name (`parking`), sync, lock
given up. So no crash finds it in neither place or both, and no replay overwrites files that somebody else has touched. Large messages
begin in the room.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from copy import copy

import msgspec

from pillarbox.backends.spool.body import IN_MEMORY, FileBody, SpoolBodyWriter, stored
from pillarbox.backends.spool.lane import Lane
from pillarbox.backends.spool.parking import RETRY_AFTER, show, show_moved
from pillarbox.backends.spool.record import Kind, events_parts, mark_parts, message_parts
from pillarbox.backends.spool.recovery import Replay
from pillarbox.backends.spool.room_writer import RoomWriter
from pillarbox.backends.spool.rooms import Rooms
from pillarbox.backends.spool.segment import Segment
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.message import MemoryBody, Message
from pillarbox.mail.progress import Event, Progress, Settled
from pillarbox.ports.clock import Clock
from pillarbox.ports.spool import (
    BodyWriter,
    MessageGone,
    Queued,
    QueueEntry,
    SpoolFull,
    with_changed_headers,
    with_changed_sender,
)
from pillarbox.system.durable import Disk, GroupSync, OsDisk, WorkThread, file_system_sync, remove_file
from pillarbox.wire.exim.log_style import show_elapsed
from pillarbox.wire.exim.message_id import MessageIds
from pillarbox.wire.exim.spool_header import SpoolFormatError, check_encodable

SEGMENT_SIZE = 64 << 20
MAX_SEGMENTS = 16
_CHUNK = 200
_LEFTOVER_AGE = 86_400.0


class SlotInUse(Exception):
    """Another process works with this slot's journal."""


class _Held:
    """A message that is ours. `segment`: it lies in the lane; else `data` is the locked -D file."""

    __slots__ = ("data", "is_changed", "moving", "queued", "segment")

    def __init__(self, queued: Queued, segment: Segment | None, data: FileBody | None) -> None:
        self.queued = queued
        self.segment = segment
        self.data = data
        self.is_changed = False
        """There are events that -H does not have."""
        self.moving: asyncio.Task[None] | None = None


class LocalSpool:
    """One worker's view of the spool `directory`. `slot`: 0 to 1023, different for each worker. `report`: for the panic log, `say`: for the
    main log."""

    def __init__(
        self,
        directory: str,
        clock: Clock,
        *,
        slot: int = 0,
        disk: Disk | None = None,
        segment_size: int = SEGMENT_SIZE,
        max_segments: int = MAX_SEGMENTS,
        in_memory: int = IN_MEMORY,
        has_journal: bool = True,
        queue: str = "",
        is_split: bool = False,
        keeps_logs: bool = False,
        keep_malformed: float = 4 * 86400.0,
        report: Callable[[str], None] = lambda _: None,
        say: Callable[[str], None] = lambda _: None,
        recovered: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`recovered` is told each message of an earlier life, once it is in the waiting room. Without a journal (commands, for a message
        or two) everything goes to the waiting room at once. `queue`: the named queue to look at; see `named`.
        `is_split`: new messages wait in one-letter directories. `keeps_logs`: logs of finished messages are left for the journal to put
        aside."""
        self._keeps_logs = keeps_logs
        self._recovered = recovered
        self._has_journal = has_journal
        self._disk = disk or OsDisk()
        self._clock = clock
        self._report = report
        self._say = say
        self._in_memory = min(in_memory, segment_size // 4) if has_journal else 0
        self._ids = MessageIds(clock.now)
        self._keep_malformed = keep_malformed
        self._queue = queue
        self._rooms = Rooms(directory, self._disk, is_split=is_split)
        self._room = self._rooms.first(queue)
        self._slot_directory = f"{directory}/journal/{slot}"
        self._lane = Lane(
            self._slot_directory,
            self._disk,
            segment_size=segment_size,
            max_segments=max_segments,
            make_room=self._move_oldest,
        )
        self._files = WorkThread("spool-files")
        self._sync = GroupSync(
            file_system_sync(self._disk, f"{self._rooms.place_of(queue)}/input"), self._files
        )
        self._writer = RoomWriter(self._rooms, self._disk, self._files, self._sync)
        self._held: dict[str, _Held] = {}
        self._slot_lock = -1
        self._stranded: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()

    # Queues

    def named(self, queue: str) -> LocalSpool:
        """The same spool as seen from another queue: what waits there is listed and claimed. Not to be started or stopped."""
        view = copy(self)
        view._queue, view._room = queue, self._rooms.of(queue)
        return view

    def queue_of(self, message_id: str) -> str:
        """Where a message is that we hold; else the queue that we look at."""
        held = self._held.get(message_id)
        return held.queued.envelope.queue if held is not None else self._queue

    # Life

    async def start(self) -> int:
        """Move what the journal still has to the waiting room: how many messages. Raises SlotInUse, OSError.

        What does not fit (disk full) stays in the journal and is tried again every 30 seconds.
        """
        self._room.make_directories()
        self._disk.make_directory(self._slot_directory)
        self._lock_slot()
        if not self._has_journal:
            return 0
        replay = Replay(self._disk)
        await asyncio.to_thread(replay.scan, self._slot_directory)
        for damage in replay.damage:
            self._report(f"spool: damaged record in {damage}")
        if replay.moved:
            await self._files.submit(lambda: show_moved(replay, self._rooms))
            await self._sync.wait()
        await self._lane.open(replay.segments)
        found = replay.ids
        self._stranded = await self._recover(replay, found)
        if self._stranded:
            self._spawn(self._recover_later(replay))
        before = self._clock.now() - _LEFTOVER_AGE
        await self._files.submit(lambda: self._room.remove_leftovers(before))
        return len(found) - len(self._stranded)

    async def stop(self) -> None:
        """Let go of everything. Messages still held in the lane are found there by the next start."""
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._lane.close()
        await asyncio.to_thread(self._files.stop)
        for held in self._held.values():
            self._close_data(held)
        self._held.clear()
        self._disk.close(self._slot_lock)

    @property
    def is_recovered(self) -> bool:
        """Whether everything from before the start is in the waiting room."""
        return not self._stranded

    def _lock_slot(self) -> None:
        self._slot_lock = self._disk.open(f"{self._slot_directory}/lock", os.O_RDWR | os.O_CREAT)
        if not self._disk.lock(self._slot_lock):
            self._disk.close(self._slot_lock)
            raise SlotInUse(f"{self._slot_directory} is used by another process")

    async def _recover(self, replay: Replay, ids: Sequence[str]) -> list[str]:
        """Park messages of the journal; the ids of those for which there was no room."""
        for start in range(0, len(ids), _CHUNK):
            chunk = ids[start : start + _CHUNK]
            results = await asyncio.gather(
                *(self._recover_one(replay, i) for i in chunk), return_exceptions=True
            )
            failed = [
                i for i, result in zip(chunk, results, strict=True) if isinstance(result, BaseException)
            ]
            if failed:
                for message_id in failed:
                    self._held.pop(message_id, None)
                self._report(
                    f"spool: {len(failed)} messages stay in the journal for now: {_first_error(results)}"
                )
                return [*failed, *ids[start + _CHUNK :]]
        return []

    async def _recover_one(self, replay: Replay, message_id: str) -> None:
        self._held[message_id] = _Held(*replay.load(message_id), None)
        await self.park(message_id)
        self._recovered(message_id)

    async def _recover_later(self, replay: Replay) -> None:
        while self._stranded:
            await self._clock.sleep(RETRY_AFTER)
            self._stranded = await self._recover(replay, self._stranded)

    # The port

    def new_id(self) -> str:
        return self._ids.new()

    def body_writer(self, message_id: str) -> BodyWriter:
        return SpoolBodyWriter(self._disk, self._room.path(message_id, "-D"), message_id, self._in_memory)

    async def accept(self, envelope: Envelope, message: Message) -> Queued:
        """Also raises ValueError when an address has a newline: such a message cannot be kept."""
        check_encodable(envelope)
        if self._queue and not envelope.queue:
            envelope = msgspec.structs.replace(envelope, queue=self._queue)
        body = message.body
        if isinstance(body, FileBody) or len(message.headers) + body.size > self._in_memory:
            return await self._accept_large(envelope, message)
        data = body.data if isinstance(body, MemoryBody) else b"".join(body.chunks())
        try:
            parts = message_parts(envelope, message.headers, data)
        except UnicodeEncodeError:
            return await self._accept_large(envelope, message)
        try:
            segment = await self._lane.append(parts, envelope.id)
        except (SpoolFull, asyncio.CancelledError):
            self._lane.append_mark(
                mark_parts(Kind.DONE, envelope.id)
            )  # it may have reached the disk all the same
            raise
        queued = Queued(envelope, message, Progress())
        self._held[envelope.id] = _Held(queued, segment, None)
        return queued

    def record(self, message_id: str, events: Iterable[Event]) -> None:
        held, events = self._require(message_id), list(events)
        queued = held.queued
        envelope = with_changed_sender(queued.envelope, events)
        message = with_changed_headers(queued.message, events)
        held.queued = Queued(envelope, message, queued.progress.after(events))
        held.is_changed = True
        try:
            if held.segment is not None:
                self._lane.append_mark(events_parts(message_id, events))
            else:
                self._rooms.of(envelope.queue).note_settled(
                    message_id, (e.address for e in events if isinstance(e, Settled))
                )
        except (OSError, UnicodeEncodeError) as error:
            self._report(f"spool: progress of {message_id} is kept in memory only: {error}")

    async def finish(self, message_id: str) -> None:
        held = self._require(message_id)
        if held.moving is not None:
            held = await self._settle_down(message_id)
        segment = held.segment
        if segment is not None:
            self._lane.append_mark(mark_parts(Kind.DONE, message_id))
            self._lane.forget(segment, message_id)
        else:
            room = self._rooms.of(held.queued.envelope.queue)
            await self._files.submit(lambda: room.remove(message_id, keeps_log=self._keeps_logs))
            self._close_data(held)
        del self._held[message_id]

    async def show(self, message_id: str) -> None:
        held = self._held.get(message_id)
        if held is None or held.segment is None or held.moving is not None:
            return
        try:
            await asyncio.shield(self._start_moving(held, may_wait=False))
        except SpoolFull as error:
            self._report(f"spool: {error}")

    async def park(self, message_id: str) -> None:
        held = await self._settle_down(message_id)
        if held.segment is not None:
            await asyncio.shield(self._start_moving(held, may_wait=True))
        if held.is_changed:
            await self._rewrite(held)
        del self._held[message_id]
        self._close_data(held)

    async def claim(self, message_id: str) -> Queued:
        if message_id in self._held:
            raise MessageGone(message_id, is_locked=True)
        try:
            queued, data = self._room.claim(message_id)
        except SpoolFormatError as error:
            raise MessageGone(message_id, trouble="format") from error
        except OSError as error:
            self._report(f"spool: cannot open {message_id}: {error}")
            raise MessageGone(message_id, is_locked=True) from error
        self._held[message_id] = held = _Held(queued, None, data)
        held.is_changed = self._room.has_journal(message_id)
        return queued

    async def release(self, message_id: str) -> None:
        """Raises SpoolFull when events were recorded and cannot be written; the message is then still held."""
        await self.park(message_id)

    def waiting(self) -> Iterator[str]:
        yield from self._room.ids()

    def entry(self, message_id: str) -> QueueEntry | None:
        try:
            return self._room.entry(message_id)
        except SpoolFormatError:
            return None
        except OSError as error:
            self._report(f"spool: {error}")
            return None

    async def remove(self, message_id: str) -> None:
        try:
            await self.claim(message_id)
        except MessageGone as gone:
            if not gone.is_locked and self._room.has_any(message_id):
                gone.is_removed = True
                await self._files.submit(lambda: self._room.remove(message_id))
            raise
        log = self._room.log_path(message_id)
        await self.finish(message_id)
        if self._keeps_logs:
            remove_file(self._disk, log)

    def tell_malformed(self, message_id: str) -> None:
        size = self._room.header_size(message_id)
        self._say(f"{message_id} Format error in spool file {message_id}-H: size={size}")
        if self._room.remove_old(message_id, self._clock.now() - self._keep_malformed):
            self._say(f"{message_id} Message removed because older than {show_elapsed(self._keep_malformed)}")

    async def move(self, message_id: str, directory: str, prefix: str = "") -> None:
        await self.claim(message_id)
        held = self._held.pop(message_id)
        there = self._rooms.at(directory, prefix)
        try:
            await self._files.submit(lambda: self._room.move(message_id, there))
        finally:
            self._close_data(held)

    # Between lane and room

    async def _accept_large(self, envelope: Envelope, message: Message) -> Queued:
        queued, data = await self._writer.begin(envelope, message, self._room)
        self._held[envelope.id] = _Held(queued, None, data)
        return queued

    def _start_moving(self, held: _Held, *, may_wait: bool) -> asyncio.Task[None]:
        held.moving = task = self._spawn(self._move(held, may_wait=may_wait))

        def end(_: object) -> None:
            held.moving = None

        task.add_done_callback(end)
        return task

    async def _move(self, held: _Held, *, may_wait: bool) -> None:
        """From the lane to the room, still held. Raises SpoolFull; it is in the lane then as before."""
        queued, segment = held.queued, held.segment
        room = self._rooms.of(queued.envelope.queue)
        assert segment is not None
        held.is_changed = False
        try:
            fd = await self._writer.prepare(queued)
        except SpoolFull:
            held.is_changed = True
            raise
        try:
            await self._sync.wait()
            await self._lane.append_durable_mark(mark_parts(Kind.MOVED, queued.id), may_wait=may_wait)
        except (OSError, SpoolFull) as error:
            held.is_changed = True
            room.remove(queued.id)
            self._disk.close(fd)
            raise SpoolFull(f"cannot write {queued.id}: {error}") from error
        await show(room, queued.id, self._sync, self._clock, self._report)
        held.data = stored(self._disk, fd, queued.id, queued.message.body)
        held.segment = None
        self._lane.forget(segment, queued.id)

    async def _rewrite(self, held: _Held) -> None:
        """A new -H with what has happened since. Raises SpoolFull."""
        queued = held.queued
        await self._writer.rewrite(queued)
        held.is_changed = False
        self._rooms.of(queued.envelope.queue).drop_journal(queued.id)

    async def _move_oldest(self) -> None:
        """Segments run short: what is still in the oldest goes to the waiting room, though it stays held."""
        segment = self._lane.oldest
        held = (
            [self._held[message_id] for message_id in sorted(segment.live) if message_id in self._held]
            if segment
            else []
        )
        waiting = [one for one in held if one.moving is None and one.segment is segment]
        results = await asyncio.gather(
            *(self._start_moving(one, may_wait=False) for one in waiting), return_exceptions=True
        )
        for one, result in zip(waiting, results, strict=True):
            if isinstance(result, BaseException):
                self._report(f"spool: {result}")
            elif one.is_changed:
                self._rooms.of(one.queued.envelope.queue).note_settled(
                    one.queued.id, one.queued.progress.settled
                )

    async def _settle_down(self, message_id: str) -> _Held:
        """The held message, once it is not on the move."""
        held = self._require(message_id)
        if held.moving is not None:
            await asyncio.wait([held.moving])
        return held

    def _require(self, message_id: str) -> _Held:
        try:
            return self._held[message_id]
        except KeyError:
            raise MessageGone(message_id) from None

    def _close_data(self, held: _Held) -> None:
        if held.data is not None:
            self._disk.close(held.data.fd)
            held.data = None

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _first_error(results: Iterable[object]) -> object:
    return next((result for result in results if isinstance(result, BaseException)), "")
