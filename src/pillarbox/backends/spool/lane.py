"""The fast lane: a worker slot's journal, written in groups.

One group is being written and synced while the next one gathers; there is no artificial delay, so a lone message waits for one
`fdatasync` and fifty share one. Marks (DONE, EVENTS) ride along with the next group, or are written without a sync a few
milliseconds later: losing one only repeats something that can be repeated.

Segments are used in the order of their generations and recycled in the same order, so a mark never vanishes before the message
it is about. The number of segments is bounded. Before the last one is full the owner is asked to move the oldest messages out.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

from pillarbox.backends.spool.record import Parts, align
from pillarbox.backends.spool.segment import SUFFIX, Segment, begin_generation, create_segment
from pillarbox.ports.spool import SpoolFull
from pillarbox.system.durable import Disk, WorkThread

GATHER = 0.001
"""Seconds that a group waits for more when the last one served several: fewer syncs and hand-overs, more in each."""
MARK_DELAY = 0.005


class _Group:
    """Records that are written with one write, and synced with one sync when somebody waits for it."""

    __slots__ = ("first", "pieces", "segment", "size", "waiters")

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self.first = segment.position = align(segment.position)
        self.size = 0
        self.pieces: list[bytes] = []
        self.waiters: list[asyncio.Future[None]] = []

    def add(self, parts: Parts) -> None:
        parts.lay_down(self.segment.key, self.pieces)
        self.segment.position += parts.size


class Lane:
    """The journal of one slot. `make_room` is called when segments run short: move the oldest segment's messages out.

    An eighth of each segment is kept for marks, so that moving out is possible when nothing more is accepted.
    """

    def __init__(
        self,
        directory: str,
        disk: Disk,
        *,
        segment_size: int,
        max_segments: int,
        make_room: Callable[[], Awaitable[None]],
    ) -> None:
        self._directory = directory
        self._disk = disk
        self._segment_size = segment_size
        self._max_segments = max_segments
        self._make_room = make_room
        self._thread = WorkThread("spool-commit")
        self._maker = WorkThread("spool-segments")
        self._loop: asyncio.AbstractEventLoop
        self._current: Segment | None = None
        self._free: deque[Segment] = deque()
        self._full: deque[Segment] = deque()
        self._generation = 0
        self._number = 0
        self._groups: deque[_Group] = deque()
        self._writing: asyncio.Task[None] | None = None
        self._is_writing_first = False
        self._crowd = 0
        """Acceptors that the last group served: where there were several, more are on their way."""
        self._mark_timer: asyncio.TimerHandle | None = None
        self._preparing: asyncio.Task[bool] | None = None
        self._is_closed = False

    async def open(self, old: list[Segment]) -> None:
        """Go on after `old` segments (ascending generations; those with live messages are kept until these are gone).

        A first segment is made now, and one in reserve; when there is no room for them, `append` will try again.
        """
        self._loop = asyncio.get_running_loop()
        self._generation = max((segment.generation for segment in old), default=0)
        self._number = max((_number_of(segment.path) for segment in old), default=0)
        self._full.extend(old)
        self._max_segments = max(
            self._max_segments, len(old) + 2
        )  # moving messages out needs room for its marks
        await self._prepare_soon()
        if self._take_room(0, is_mark=True):
            await self._prepare_soon()

    @property
    def oldest(self) -> Segment | None:
        """The segment that must be emptied before any other can be used again."""
        return self._full[0] if self._full else None

    @property
    def segment_count(self) -> int:
        return len(self._free) + len(self._full) + (self._current is not None)

    async def append(self, parts: Parts, message_id: str) -> Segment:
        """A message, durable on return. Raises SpoolFull; nothing was kept then."""
        size = parts.size
        segment = self._take_room(size, is_mark=False)
        if segment is None or self._is_closed:
            segment = await self._find_room(size, is_mark=False)
        segment.live.add(message_id)
        try:
            await self._commit(segment, parts)
        except BaseException:
            segment.live.discard(message_id)
            raise
        return segment

    async def append_durable_mark(self, parts: Parts, *, may_wait: bool) -> None:
        """A mark, durable on return. Who makes room may not wait for room. Raises SpoolFull."""
        segment = (
            await self._find_room(parts.size, is_mark=True)
            if may_wait
            else self._take_room(parts.size, is_mark=True)
        )
        if segment is None:
            raise SpoolFull(f"no room for a mark in the journal {self._directory}")
        await self._commit(segment, parts)

    async def _commit(self, segment: Segment, parts: Parts) -> None:
        future: asyncio.Future[None] = self._loop.create_future()
        group = self._open_group(segment)
        group.add(parts)
        group.waiters.append(future)
        self._start_writing()
        try:
            await future
        except OSError as error:
            raise SpoolFull(f"cannot write {segment.path}: {error}") from error

    def append_mark(self, parts: Parts) -> None:
        """Written soon, durable with the next group. Dropped when there is no room: it is a mark that may be lost."""
        segment = self._take_room(parts.size, is_mark=True)
        if segment is None or self._is_closed:
            return
        self._open_group(segment).add(parts)
        if self._writing is None and self._mark_timer is None:
            self._mark_timer = self._loop.call_later(MARK_DELAY, self._start_writing)

    def forget(self, segment: Segment, message_id: str) -> None:
        """The message is done or moved: its segment may be used again when it was the last."""
        segment.live.discard(message_id)
        if not segment.live and self._full and self._full[0] is segment and not self._free:
            self._prepare_soon()

    async def close(self) -> None:
        """Write what has gathered, and let go of all files."""
        self._is_closed = True
        self._start_writing()
        for task in (self._writing, self._preparing):
            if task is not None:
                await asyncio.wait([task])
        await asyncio.to_thread(self._stop_threads)
        for segment in (*self._free, *self._full, *([self._current] if self._current else [])):
            self._disk.close(segment.fd)

    def _stop_threads(self) -> None:
        self._maker.stop()
        self._thread.stop()

    # Room

    async def _find_room(self, size: int, *, is_mark: bool) -> Segment:
        segment = self._take_room(size, is_mark=is_mark)
        while segment is None:
            is_shared = self._preparing is not None and not self._preparing.done()
            is_prepared = await asyncio.shield(self._prepare_soon())
            if not (is_prepared or is_shared):  # one that had begun before may have looked too early
                break
            segment = self._take_room(size, is_mark=is_mark)  # others who waited may have filled it
        if segment is None or self._is_closed:
            raise SpoolFull(f"no room in the journal {self._directory}: {self.segment_count} segments")
        return segment

    def _take_room(self, size: int, *, is_mark: bool) -> Segment | None:
        """The segment to write to; the next free one when the current one is full."""
        needed = size + align(1)
        current = self._current
        if current is None or not current.has_room(needed, is_mark=is_mark):
            if not self._free or not self._free[0].has_room(needed, is_mark=is_mark):
                return None
            if current is not None:
                self._full.append(current)
            self._current = current = self._free.popleft()
            self._prepare_soon()
        return current

    def _prepare_soon(self) -> asyncio.Task[bool]:
        """One preparation at a time; those who need room wait for the one that runs."""
        if self._preparing is None or self._preparing.done():
            self._preparing = self._loop.create_task(self._prepare())
        return self._preparing

    async def _prepare(self) -> bool:
        """Put one more segment in reserve: the oldest when it is empty, else a new one. Whether that was done."""
        if self._is_closed or self._free:
            return False
        generation = self._generation = self._generation + 1
        try:
            if self._full and self.segment_count >= self._max_segments:
                if self._full[0].live:
                    await self._make_room()
                await self._until_written(self._full[0])
            if self._full and not self._full[0].live and not self._is_being_written(self._full[0]):
                segment = self._full.popleft()
                segment = await self._recycle(segment)
            elif self.segment_count < self._max_segments:
                segment = await self._create()
            else:
                return False
            if not await self._maker.submit(lambda: self._begin(segment, generation)):
                return False
        except OSError:
            return False
        self._free.append(segment)
        return True

    def _begin(self, segment: Segment, generation: int) -> bool:
        """In the thread. A file that cannot be made ready is given up: nothing in it counts any more."""
        try:
            begin_generation(self._disk, segment, generation)
        except OSError:
            self._disk.close(segment.fd)
            self._disk.unlink(segment.path)
            return False
        return True

    async def _recycle(self, segment: Segment) -> Segment:
        if not segment.is_broken:
            return segment
        self._disk.close(segment.fd)
        self._disk.unlink(segment.path)
        return await self._create()

    async def _create(self) -> Segment:
        self._number += 1
        path = f"{self._directory}/{self._number:08d}{SUFFIX}"
        return await self._maker.submit(lambda: create_segment(self._disk, path, self._segment_size))

    async def _until_written(self, segment: Segment) -> None:
        """What still goes to it when it is wanted for something else: that takes one turn of the disk."""
        while (group := next((one for one in self._groups if one.segment is segment), None)) is not None:
            written = self._loop.create_future()
            group.waiters.append(written)
            self._start_writing()
            with suppress(OSError):
                await written

    def _is_being_written(self, segment: Segment) -> bool:
        return any(group.segment is segment for group in self._groups)

    # Writing

    def _open_group(self, segment: Segment) -> _Group:
        """The group that gathers; the first in the queue is being written while the task runs."""
        last = self._groups[-1] if self._groups else None
        is_taken = self._is_writing_first and len(self._groups) == 1
        if last is None or is_taken or last.segment is not segment:
            last = _Group(segment)
            self._groups.append(last)
        return last

    def _start_writing(self) -> None:
        if self._mark_timer is not None:
            self._mark_timer.cancel()
            self._mark_timer = None
        if self._writing is None and self._groups:
            self._writing = self._loop.create_task(self._write_groups())

    async def _write_groups(self) -> None:
        try:
            while self._groups:
                if self._crowd > 1 and not self._is_closed:
                    await asyncio.sleep(GATHER)
                self._is_writing_first = True
                self._crowd = len(self._groups[0].waiters)
                error = await self._write(self._groups[0])
                self._is_writing_first = False
                _answer(self._groups.popleft().waiters, error)
        finally:
            self._writing = None

    async def _write(self, group: _Group) -> OSError | None:
        segment = group.segment
        if segment.is_broken:
            return OSError("an earlier write to this segment failed")
        data, has_waiters, disk = b"".join(group.pieces), bool(group.waiters), self._disk

        def work() -> None:
            if has_waiters:
                disk.pwrite_durable(segment.fd, data, group.first)
            else:
                disk.pwrite(segment.fd, data, group.first)

        try:
            await self._thread.submit(work)
        except OSError as error:
            segment.is_broken = True
            return error
        return None


def _answer(waiters: list[asyncio.Future[None]], error: OSError | None) -> None:
    for waiter in waiters:
        if waiter.done():
            continue  # cancelled: the connection has gone
        if error is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(error)


def _number_of(path: str) -> int:
    digits = path.rpartition("/")[2].removesuffix(SUFFIX)
    return int(digits) if digits.isdigit() else 0
