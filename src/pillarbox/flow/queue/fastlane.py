"""The fast lane: the first delivery of a message, from memory, as soon as it is accepted.

Most mail is over here in milliseconds: routed, delivered, made durable together with its neighbours, forgotten by the spool. What
remains (deferred, frozen) is parked and comes back by the table of due times. Nothing here waits on the way in, and all is bounded: at most
`active` attempts run at once, `backlog` messages wait for their turn, and beyond that a message goes to the waiting room untried.

An attempt that takes longer than `slow_after` seconds (a remote host that dawdles) keeps going, but gives its place to others, up to
`slow` of them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Iterable

import msgspec

from pillarbox.flow.queue.deliver import FIRST, FIRST_LOCAL, Delivery, Urgency
from pillarbox.flow.queue.due import DueTable
from pillarbox.flow.queue.settle import Settler
from pillarbox.flow.queue.settling import Settlement
from pillarbox.ports.clock import Clock
from pillarbox.ports.journal import Journal
from pillarbox.ports.spool import Queued, Spool
from pillarbox.ports.userfiles import DeliveryFailure, UserFiles


class LaneLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one worker's fast lane."""

    active: int = 100
    slow: int = 400
    backlog: int = 5000
    backlog_bytes: int = 64 * 1024 * 1024
    slow_after: float = 1.0
    """Seconds."""
    sync_interval: float = 1.0
    """Seconds that deliveries gather before one sync of the file system."""
    sync_group: int = 5000
    """Sync at once when so many have gathered."""
    retry_after_fault: float = 300.0
    """Seconds until a message is tried again after an exception."""


class FastLane:
    """First deliveries of one worker. `first_delivery` takes over a message that this process holds."""

    is_waited_for = False
    """Whether the next message is not taken before the one before it has been delivered."""

    __slots__ = (
        "_backlog",
        "_backlog_bytes",
        "_clock",
        "_delivery",
        "_due",
        "_gathered",
        "_journal",
        "_limits",
        "_running",
        "_settler",
        "_slow",
        "_spool",
        "_syncing",
        "_tasks",
        "_ticker",
        "_user_files",
    )

    def __init__(
        self,
        *,
        spool: Spool,
        delivery: Delivery,
        settler: Settler,
        due: DueTable,
        user_files: UserFiles,
        journal: Journal,
        clock: Clock,
        limits: LaneLimits | None = None,
    ) -> None:
        self._spool = spool
        self._delivery = delivery
        self._settler = settler
        self._due = due
        self._user_files = user_files
        self._journal = journal
        self._clock = clock
        self._limits = limits or LaneLimits()
        self._backlog: deque[tuple[Queued, Urgency]] = deque()
        self._backlog_bytes = 0
        self._running: dict[str, float] = {}
        """Attempts that hold a place, by id: when they began (monotonic)."""
        self._slow: set[str] = set()
        self._gathered: list[str] = []
        """Delivered, not yet known to be durable."""
        self._syncing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ticker: asyncio.Task[None] | None = None

    @property
    def load(self) -> int:
        """Messages in the lane: waiting, under way, or delivered and not yet durable."""
        return len(self._backlog) + len(self._running) + len(self._slow) + len(self._gathered)

    def under_way(self) -> tuple[str, ...]:
        """Ids of messages that are being delivered."""
        return (*self._running, *self._slow)

    def first_local_delivery(self, queued: Queued) -> None:
        """The same, but what is for other hosts waits."""
        self.first_delivery(queued, FIRST_LOCAL)

    def first_delivery(self, queued: Queued, urgency: Urgency = FIRST) -> None:
        """Deliver soon. Never waits, never raises."""
        if len(self._running) < self._limits.active:
            self._begin(queued, urgency)
        elif self._has_room(queued):
            self._backlog.append((queued, urgency))
            self._backlog_bytes += queued.message.size
        else:
            self._start(self._park(queued, self._clock.now()))

    def own_delivery(self, queued: Queued) -> None:
        """The same for a message that we have written ourselves."""
        self.first_delivery(queued)

    async def deliver_own(self) -> None:
        """Behind an attempt that was not ours: what it has written, where that has waited for it."""

    async def drain(self) -> None:
        """Before stopping: park what has not begun, wait for what has, make it durable."""
        while self._backlog:
            self._start(self._park(self._backlog.popleft()[0], self._clock.now()))
        self._backlog_bytes = 0
        await self.idle()
        await self._flush()
        if self._ticker is not None and not self.load:
            self._ticker.cancel()
            self._tasks.discard(self._ticker)
            self._ticker = None

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        while others := [task for task in self._tasks if task is not self._ticker and not task.done()]:
            await asyncio.gather(*others)  # gives no turn to others when all are done (Python 3.12)

    def _has_room(self, queued: Queued) -> bool:
        limits = self._limits
        return (
            len(self._backlog) < limits.backlog
            and self._backlog_bytes + queued.message.size <= limits.backlog_bytes
        )

    def _begin(self, queued: Queued, urgency: Urgency) -> None:
        self._running[queued.envelope.id] = self._clock.monotonic()
        self._start(self._deliver(queued, urgency))
        if self._ticker is None:
            self._ticker = asyncio.get_running_loop().create_task(self._tick())
            self._tasks.add(self._ticker)

    def _start(self, work: Coroutine[object, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)  # asyncio.create_task names it besides
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, queued: Queued, urgency: Urgency) -> None:
        message_id = queued.envelope.id
        try:
            settlement = await self._delivery.attempt(queued, urgency)
            await self._attempted()
            if settlement.is_complete and self._settler.keeps_logs:
                self._settler.begin_log(queued)
            if settlement.is_complete and settlement.needs_sync:
                if settlement.events:
                    self._spool.record(message_id, settlement.events)
                self._gather(message_id)
            elif settlement.is_complete:
                await self._spool.finish(message_id)
                await self._settler.complete(message_id)
            else:
                self._settler.begin_log(queued)
                await self._keep(queued, settlement)
        except Exception as fault:
            self._journal.panic(f"{message_id} delivery broke off: {type(fault).__name__}: {fault}")
            await self._park(queued, self._clock.now() + self._limits.retry_after_fault)
        finally:
            self._running.pop(message_id, None)
            self._slow.discard(message_id)
            self._next()

    async def _attempted(self) -> None:
        """Behind an attempt, before what became of it is kept."""

    def _next(self) -> None:
        while self._backlog and len(self._running) < self._limits.active:
            queued, urgency = self._backlog.popleft()
            self._backlog_bytes -= queued.message.size
            self._begin(queued, urgency)

    async def _keep(self, queued: Queued, settlement: Settlement) -> None:
        message_id = queued.id
        self._spool.record(message_id, settlement.events)
        for line in settlement.lines:
            self._journal.message(message_id, line)
        await self._park(queued, settlement.next_at)
        if await self._settler.set_aside(message_id, settlement.events, self._spool):
            self._due.forget(message_id)

    async def _park(self, queued: Queued, due_at: float) -> None:
        """To the waiting room. A named queue is for its own runners."""
        message_id = queued.id
        await self._settler.patience.until_there_is_room(
            lambda: self._spool.park(message_id), f"{message_id} stays in the journal, the queue is full"
        )
        if not queued.envelope.queue:
            self._due.put(message_id, due_at)

    def _gather(self, message_id: str) -> None:
        self._gathered.append(message_id)
        if len(self._gathered) == self._limits.sync_group:
            self._start(self._flush())

    async def _tick(self) -> None:
        """While anything is in the lane: sync what gathered, and take their places from slow attempts."""
        while self._running or self._gathered or self._slow:
            await self._clock.sleep(self._limits.sync_interval)
            await self._flush()
            self._set_slow_apart()
        if self._ticker is not None:
            self._tasks.discard(self._ticker)
        self._ticker = None

    def _set_slow_apart(self) -> None:
        """`_running` is in the order of beginning, so the slow ones stand in front."""
        before = self._clock.monotonic() - self._limits.slow_after
        room = self._limits.slow - len(self._slow)
        slow: list[str] = []
        for message_id, began in self._running.items():
            if began > before or len(slow) >= room:
                break
            slow.append(message_id)
        for message_id in slow:
            del self._running[message_id]
            self._slow.add(message_id)
            self._start(self._spool.show(message_id))
        self._next()

    async def _flush(self) -> None:
        """Make gathered deliveries durable and let the spool forget their messages."""
        async with self._syncing:
            gathered, self._gathered = self._gathered, []
            if not gathered:
                return
            try:
                await self._user_files.sync()
            except (OSError, DeliveryFailure) as error:
                count = len(gathered)
                self._journal.panic(
                    f"{count} deliveries may not be on disk, the spool keeps the messages: {error}"
                )
                return
            await self._finish(gathered)

    async def _finish(self, message_ids: Iterable[str]) -> None:
        for count, message_id in enumerate(message_ids):
            await self._spool.finish(message_id)
            await self._settler.complete(message_id)
            if count % 64 == 63:
                await asyncio.sleep(0)  # others want the loop too
