"""The queue runner: gives waiting messages their next attempt, each when it is due, and all of them when asked (`exim -q…`).

Messages this worker parked are in the table of due times and come back to the second. Others (parked by another worker, left by a
crash or an offline submission) are found by a walk through the queue, every `interval` seconds and at the start. A walk skips what the table
says is not due without touching a file.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine, Iterable

import msgspec

from pillarbox.flow.queue.admin import Answer
from pillarbox.flow.queue.deliver import AGAIN, FORCED, Delivery, Urgency
from pillarbox.flow.queue.due import DueTable
from pillarbox.flow.queue.pace import Pace
from pillarbox.flow.queue.settle import Settler
from pillarbox.flow.queue.settling import Settlement
from pillarbox.flow.queue.turns import Turns
from pillarbox.language.regex import compile_regex
from pillarbox.mail.address import split_address
from pillarbox.mail.progress import Event, Thawed
from pillarbox.ports.clock import Clock
from pillarbox.ports.journal import Journal
from pillarbox.ports.spool import MessageGone, Queued, QueueEntry, Spool
from pillarbox.ports.userfiles import UserFiles

NEVER = float("inf")
_LOCAL = Urgency(remote_waits="remote deliveries suppressed")
_FIRST_STAGE = Urgency(remote_waits="first of two stages", is_silent_about_remote=True, is_provisional=True)

BY_FORCE = "Unfrozen by forced delivery"


class QueueRun(msgspec.Struct, frozen=True, kw_only=True):
    """What one run through the queue does (Exim 5, `-q<flags>`, `-R`, `-S`)."""

    force: bool = False
    """`-qf`: whatever the retry times say."""
    force_frozen: bool = False
    """`-qff`: frozen messages too."""
    is_by_hand: bool = False
    """Somebody asked for it: every message is looked at, and what is not due is said in the log."""
    first_only: bool = False
    """`-qi`: only messages never tried."""
    recipient: str = ""
    """`-R`: only messages with an undelivered recipient that contains this, whatever its case."""
    is_regular_recipient: bool = False
    """`-Rr`: it is a regular expression."""
    is_regular_sender: bool = False
    is_two_stage: bool = False
    """`-qq`: everything is routed, and what stays here delivered, before anything goes to other hosts."""
    local_only: bool = False
    """`-ql`."""
    queue: str = ""
    """`-qG`: its name; the spool is that queue's already."""
    sender: str = ""
    """`-S`: only messages whose sender contains this."""
    domains: frozenset[str] | None = None
    """ATRN: only messages with an undelivered recipient in one of these; None: any."""
    domains_shown: str = ""
    """How the log has them."""
    first_id: str = ""
    """`-q <first> <last>`: only from this id on."""
    last_id: str = ""


_BY_ITSELF = QueueRun()
_FOLLOWING = QueueRun(is_by_hand=True)


class RegularRun(msgspec.Struct, frozen=True):
    """`-qG<name>/<time>` of a daemon."""

    wish: QueueRun
    interval: float
    """Seconds."""


class FrozenRules(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of frozen messages by themselves; seconds, 0: nothing."""

    ignore_bounce_errors_after: float = 10 * 7 * 86400.0
    timeout_frozen_after: float = 0.0
    auto_thaw: float = 0.0


class Order(msgspec.Struct, frozen=True):
    """`queue_run_order`, `queue_run_in_order`. By age is cheap, and Exim's chance has no reason here: every message is held alone."""

    is_reversed: bool = False

    def arranged(self, ids: Iterable[str]) -> Iterable[str]:
        return reversed(list(ids)) if self.is_reversed else ids


class RunnerLimits(msgspec.Struct, frozen=True, kw_only=True):
    interval: float = 1800.0
    """Seconds between walks through the whole queue."""
    parallel: int = 20
    """Messages under way at once (`queue_run_max`)."""
    tick: float = 1.0
    order: Order = Order()
    load_max: float | None = None
    """`deliver_queue_load_max`: above this load of the machine a run stops."""
    retry_after_fault: float = 300.0


class QueueRunner:
    """Retries what waits. One for each worker; the spool's locks keep several apart."""

    __slots__ = (
        "_clock",
        "_delivery",
        "_due",
        "_frozen_rules",
        "_journal",
        "_limits",
        "_queue",
        "_settler",
        "_spool",
        "_turns",
        "_under_way",
        "_user_files",
        "behind",
        "pace",
        "walks",
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
        frozen_rules: FrozenRules | None = None,
        limits: RunnerLimits | None = None,
        queue: str = "",
    ) -> None:
        """`queue`: the name of the queue that `spool` shows; empty: the usual one."""
        self._queue = queue
        self._spool = spool
        self._delivery = delivery
        self._settler = settler
        self._turns = Turns(lambda key: settler.retries.look(key, clock.now()) is not None)
        self._due = due
        self._user_files = user_files
        self._journal = journal
        self._clock = clock
        self._frozen_rules = frozen_rules or FrozenRules()
        self.behind: Callable[[], Awaitable[None]] | None = None
        """Follows each attempt: the fast lane's, for what the attempt has written."""
        self.pace = Pace(clock)
        self._limits = limits or RunnerLimits()
        self._under_way: set[asyncio.Task[None]] = set()
        self.walks: list[str] = []
        """Flags of the runs that go through the queue now."""

    def under_way(self) -> tuple[str, ...]:
        """Ids of messages that are being tried."""
        return tuple(task.get_name() for task in self._under_way)

    def beside(self, queue: str, spool: Spool, interval: float, parallel: int) -> QueueRunner:
        """One for a named queue: `spool` shows it, times and how many messages are tried at once are its own."""
        runner = type(self)(
            spool=spool,
            delivery=self._delivery,
            settler=self._settler,
            due=DueTable(),
            user_files=self._user_files,
            journal=self._journal,
            clock=self._clock,
            frozen_rules=self._frozen_rules,
            limits=msgspec.structs.replace(self._limits, interval=interval, parallel=parallel),
            queue=queue,
        )
        runner.pace = self.pace
        return runner

    async def serve(self, wish: QueueRun = _BY_ITSELF) -> None:
        """Until cancelled: a walk at the start and every `interval`, and what is due in between."""
        next_walk = self._clock.now()
        walk: asyncio.Task[None] | None = None
        try:
            while True:
                if self._clock.now() >= next_walk and (walk is None or walk.done()):
                    next_walk = self._clock.now() + self._limits.interval
                    walk = asyncio.create_task(self.run(wish))
                await self.deliver_due()
                await self._clock.sleep(self._limits.tick)
        finally:
            if walk is not None:
                walk.cancel()

    async def deliver_due(self) -> None:
        """Begin attempts at what is due by the table, as far as there is room; does not wait for their end."""
        room = self._limits.parallel - len(self._under_way)
        for message_id in self._due.take_due(self._clock.now(), room):
            await self._begin(message_id, AGAIN, _BY_ITSELF)

    async def run(self, wish: QueueRun) -> None:
        """One walk through the queue, begun in order of age; returns when the last attempt has ended.

        Of those that `-R` and `-S` choose the first is tried whatever its retry times say, and shows whether the rest has a chance.
        """
        about = f"pid={os.getpid()} {_flags(wish)}".rstrip()
        name = f"'{wish.queue}' " if wish.queue else "ODMR " if wish.domains is not None else ""
        self._note_run(f"Start {name}queue run: {about}")
        self.walks.append(_flags(wish))
        try:
            await self._settler.patience.try_now()  # what could not be put into the queue may be wanted, too
            if wish.is_two_stage:
                await self._pass(wish, _FIRST_STAGE, about)
            await self._pass(wish, _LOCAL if wish.local_only else AGAIN, about)
        finally:
            self.walks.pop()
        self._note_run(f"End {name if wish.domains is None else ''}queue run: {about}")

    async def _pass(self, wish: QueueRun, urgency: Urgency, about: str) -> None:
        """To the end of the queue, or until the machine is too busy."""
        is_scout = bool(wish.recipient or wish.sender or wish.domains)
        if wish.force or wish.force_frozen:
            urgency = msgspec.structs.replace(urgency, is_forced=True)
        steps = self.pace.steps()
        for message_id in self._limits.order.arranged(self._spool.waiting()):
            await steps.step()
            if not self._is_wanted(message_id, wish):
                continue
            if self._is_overloaded(about):
                break
            self._due.forget(message_id)
            if is_scout:
                is_scout = False
                await self.deliver(message_id, FORCED, wish=msgspec.structs.replace(wish, force=True))
                continue
            await self._begin(message_id, urgency, wish)
        await self.settle_down()

    def _is_overloaded(self, about: str) -> bool:
        """And said so."""
        most = self._limits.load_max
        if most is None:
            return False
        load = os.getloadavg()[0]
        if load > most:
            self._journal.main(f"Abandon queue run: {about} (load {load:.2f}, max {most:.2f})")
        return load > most

    def _note_run(self, line: str) -> None:
        if self._settler.style.shows("queue_run"):
            self._journal.main(line)

    async def settle_down(self) -> None:
        """Wait for every attempt that has begun."""
        while begun := [task for task in self._under_way if not task.done()]:
            await asyncio.gather(*begun)  # gives no turn to others when all are done (Python 3.12)

    async def deliver(self, message_id: str, urgency: Urgency, *, wish: QueueRun | None = None) -> None:
        """One attempt (`exim -M`: FORCED). Someone else's message, or one that is gone, is left alone; half a message is told of."""
        try:
            queued = await self._spool.claim(message_id)
        except MessageGone as gone:
            if not gone.is_locked:
                self._tell_gone(message_id, gone, in_run=wish is not None)
            return
        try:
            await self.attempt(queued, urgency, wish or QueueRun())
        except Exception as fault:
            self._journal.panic(f"{message_id} delivery broke off: {type(fault).__name__}: {fault}")
            await self._release(message_id, self._clock.now() + self._limits.retry_after_fault)
        if self.behind is not None:
            await self.behind()

    def _tell_gone(self, message_id: str, gone: MessageGone, *, in_run: bool) -> None:
        """A run passes over half a message, as Exim's does; a delivery that somebody asked for says what is missing."""
        match gone.trouble:
            case "data" | "header" if in_run:
                pass
            case "data":
                where = f" Q={self._queue}" if self._queue else ""
                self._journal.main(f"{message_id} Spool{where} file {message_id}-D not found")
            case "header":
                self._journal.main(
                    f"{message_id} Error reading spool file {message_id}-H: No such file or directory"
                )
            case "format":
                self._spool.tell_malformed(message_id)

    async def give_up(self, message_id: str, caller: str) -> Answer:
        """`-Mg`: every address left fails, and the sender hears of it."""
        try:
            queued = await self._spool.claim(message_id)
        except MessageGone as gone:
            if gone.is_locked:
                return Answer(f"Message {message_id} is locked", False)
            self._tell_gone(message_id, gone, in_run=False)
            return Answer("", True)
        if queued.progress.is_frozen:
            self._journal.main(f"{message_id} {BY_FORCE}")
        self._journal.main(f"{message_id} cancelled by {caller}")
        if queued.envelope.sender is None:
            await self._spool.finish(message_id)
            await self._settler.complete(message_id)
            return Answer("", True)
        settlement = await self._delivery.give_up(queued)
        await self._conclude(message_id, settlement, ())
        return Answer("", True)

    def _is_wanted(self, message_id: str, wish: QueueRun) -> bool:
        """Decided without a lock, and without a file unless addresses are asked for."""
        if (wish.first_id and message_id < wish.first_id) or (wish.last_id and message_id > wish.last_id):
            return False
        is_forced = wish.force or wish.force_frozen
        if wish.recipient or wish.sender or wish.first_only or wish.domains is not None:
            entry = self._spool.entry(message_id)
            return entry is not None and not self._stays_frozen(entry, wish) and _matches(entry, wish)
        return is_forced or wish.is_by_hand or self._due.is_due(message_id, self._clock.now())

    def _stays_frozen(self, entry: QueueEntry, wish: QueueRun) -> bool:
        """A run that looks into messages before it tries them passes over frozen ones whatever it looks for, and says so without an id, as
        Exim's does."""
        if entry.frozen_at is None or wish.force_frozen:
            return False
        if self._settler.style.shows("skip_delivery"):
            self._journal.main("Message is frozen")
        return True

    def follow(self, message_id: str) -> None:
        """Begin an attempt soon: a host that it waits for is back, and there is a connection to it."""
        if message_id not in self.under_way():
            self._due.forget(message_id)
            self._start(self.deliver(message_id, AGAIN, wish=_FOLLOWING), message_id)

    async def _begin(self, message_id: str, urgency: Urgency, wish: QueueRun) -> None:
        """Start an attempt when there is room for it."""
        while len(self._under_way) >= self._limits.parallel:
            await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
        self._start(self.deliver(message_id, urgency, wish=wish), message_id)

    def _start(self, attempt: Coroutine[object, object, None], message_id: str) -> None:
        task = asyncio.create_task(attempt, name=message_id)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def attempt(self, queued: Queued, urgency: Urgency, wish: QueueRun) -> None:
        """With a claimed message, which is released or done behind it."""
        progress, message_id = queued.progress, queued.id
        events: tuple[Event, ...] = ()
        if wish.first_only and progress.attempts:
            await self._release(message_id, progress.next_at)
            return
        if progress.is_frozen:
            decision = self._thaw(queued, urgency, wish)
            if decision == "cancel":
                await self._cancel(queued)
                return
            if not decision:
                if self._settler.style.shows("skip_delivery"):
                    self._journal.main(f"{message_id} Message is frozen")
                await self._release(message_id, self._frozen_until(queued))
                return
            self._journal.main(f"{message_id} {decision}")
            events = (Thawed(self._clock.now(), by_hand=decision == BY_FORCE),)
            queued = msgspec.structs.replace(queued, progress=progress.after(events))
        elif urgency == AGAIN and not wish.is_by_hand and progress.next_at > self._clock.now():
            await self._release(message_id, progress.next_at)
            return
        if urgency.is_forced or self._limits.parallel == 1:
            settlement = await self._delivery.attempt(queued, urgency)
        else:
            async with self._turns.of(queued):
                settlement = await self._delivery.attempt(queued, urgency)
        await self._conclude(message_id, settlement, events)

    def _thaw(self, queued: Queued, urgency: Urgency, wish: QueueRun) -> str:
        """Why a frozen message is tried after all, in the log's words; `cancel` to give it up; empty: it stays frozen."""
        rules, now = self._frozen_rules, self._clock.now()
        age = now - queued.envelope.received_at
        is_bounce = queued.envelope.sender is None
        if 0 < rules.timeout_frozen_after < age:
            return "cancel"
        if wish.force_frozen or (urgency.is_forced and not wish.force):
            return BY_FORCE
        if is_bounce and age > rules.ignore_bounce_errors_after:
            return "Unfrozen by errmsg timer"
        if not is_bounce and 0 < rules.auto_thaw < now - (queued.progress.frozen_at or now):
            return "Unfrozen by auto-thaw"
        return ""

    def _frozen_until(self, queued: Queued) -> float:
        """When one of the rules will look at a frozen message again."""
        rules, received_at = self._frozen_rules, queued.envelope.received_at
        times = [NEVER]
        if rules.timeout_frozen_after > 0:
            times.append(received_at + rules.timeout_frozen_after + 1)
        if queued.envelope.sender is None:
            times.append(received_at + rules.ignore_bounce_errors_after + 1)
        elif rules.auto_thaw > 0 and queued.progress.frozen_at is not None:
            times.append(queued.progress.frozen_at + rules.auto_thaw + 1)
        return min(times)

    async def _cancel(self, queued: Queued) -> None:
        """A bounce is dropped, other messages are given up (`timeout_frozen_after`)."""
        self._journal.main(f"{queued.id} cancelled by timeout_frozen_after")
        if queued.envelope.sender is None:
            await self._spool.finish(queued.id)
            await self._settler.complete(queued.id)
            return
        await self._conclude(queued.id, await self._delivery.give_up(queued), ())

    async def _conclude(self, message_id: str, settlement: Settlement, events: tuple[Event, ...]) -> None:
        if settlement.is_complete:
            if settlement.events:
                self._spool.record(message_id, settlement.events)
            if settlement.needs_sync:
                await self._user_files.sync()
            await self._spool.finish(message_id)
            await self._settler.complete(message_id)
            return
        self._spool.record(message_id, (*events, *settlement.events))
        for line in settlement.lines:
            self._journal.message(message_id, line)
        await self._release(message_id, settlement.next_at)
        if await self._settler.set_aside(message_id, settlement.events, self._spool):
            self._due.forget(message_id)

    async def _release(self, message_id: str, due_at: float) -> None:
        await self._settler.patience.until_there_is_room(
            lambda: self._spool.release(message_id), f"{message_id} progress not written"
        )
        self._due.put(message_id, due_at)


def _matches(entry: QueueEntry, wish: QueueRun) -> bool:
    if wish.sender and not _contains(entry.sender or "", wish.sender, is_regular=wish.is_regular_sender):
        return False
    left = (a for a in entry.recipients if a not in entry.settled)
    if wish.domains is not None:
        return any(split_address(address)[1].lower() in wish.domains for address in left)
    return not wish.recipient or any(
        _contains(address, wish.recipient, is_regular=wish.is_regular_recipient) for address in left
    )


def _contains(address: str, text: str, *, is_regular: bool) -> bool:
    """Whatever the case, as Exim compares both."""
    if is_regular:
        return compile_regex(text, ignore_case=True).matches(address)
    return text.lower() in address.lower()


def _flags(wish: QueueRun) -> str:
    """`-qf` and the like, as they stand in the log."""
    marks = "q" if wish.is_two_stage or wish.domains is not None else ""
    marks += "i" if wish.first_only else ""
    marks += "ff" if wish.force_frozen else "f" if wish.force else ""
    marks += "l" if wish.local_only else ""
    parts = [f"-q{marks}" if marks else ""]
    if wish.recipient:
        parts.append(f"-R{'r' if wish.is_regular_recipient else ''} {wish.recipient}")
    if wish.domains is not None:
        parts.append(f"-Rr @({wish.domains_shown})")
    if wish.sender:
        parts.append(f"-S{'r' if wish.is_regular_sender else ''} {wish.sender}")
    return " ".join(part for part in parts if part)
