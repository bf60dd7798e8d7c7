"""One message being settled: what is logged, noted, bounced, frozen, and what of it still waits.

What was delivered is made durable first, then bounces are accepted, then addresses are recorded as settled (`settle` says why).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from itertools import groupby
from typing import TYPE_CHECKING

import msgspec

from pillarbox.flow.own_message import NOT_SENT, NotTaken
from pillarbox.flow.queue import bounce
from pillarbox.flow.queue.expiry import expired
from pillarbox.flow.queue.holding import is_early
from pillarbox.flow.queue.notices import recipients_of
from pillarbox.flow.queue.replacing import replaced
from pillarbox.flow.queue.retry import RETRY_TIMEOUT
from pillarbox.flow.queue.routed import ErrorsTo
from pillarbox.flow.route.done_names import name_beside
from pillarbox.flow.transport.job import BUSY, SKIPPED
from pillarbox.mail.envelope import Recipient
from pillarbox.mail.outcome import Deferred, Delivered, Failed, Outcome
from pillarbox.mail.progress import Added, Attempted, Event, Frozen, Settled, Warned
from pillarbox.ports.spool import Queued, SpoolFull
from pillarbox.wire.exim.message_log import line_children_done, line_frozen, lines_outcome
from pillarbox.wire.exim.outcome_line import named

if TYPE_CHECKING:
    from pillarbox.flow.queue.settle import Settler


class Settlement(msgspec.Struct, frozen=True, gc=False):
    """Where an attempt leaves a message."""

    is_complete: bool
    needs_sync: bool = False
    """Local deliveries were made that are not yet durable: sync before the spool forgets the message."""
    next_at: float = 0.0
    """When it is due again (seconds since the epoch); `inf` when frozen."""
    events: tuple[Event, ...] = ()
    """To be recorded before the message is parked or released."""
    lines: tuple[str, ...] = ()
    """For the message's own log, written only when the message stays."""


BUSY_INTERVAL = 60.0
"""Seconds until a message comes back that found too much under way."""
COMPLETE_LOCAL = Settlement(is_complete=True, needs_sync=True)
COMPLETE = Settlement(is_complete=True)


class Settling:
    """One message being settled."""

    __slots__ = (
        "ended",
        "errors_to",
        "events",
        "is_provisional",
        "left",
        "lines",
        "next_at",
        "now",
        "pending",
        "queued",
        "replacements",
        "settler",
        "told",
    )

    def __init__(
        self,
        settler: Settler,
        queued: Queued,
        errors_to: ErrorsTo,
        replacements: Mapping[str, Added],
        told: Set[int],
        *,
        is_provisional: bool,
    ) -> None:
        self.told = told
        self.is_provisional = is_provisional
        self.settler = settler
        self.queued = queued
        self.errors_to = errors_to
        self.replacements = replacements
        self.now = settler.clock.now()
        self.lines: list[str] = []
        self.left: Counter[str] = Counter()
        """How many addresses each that was redirected still waits for."""
        self.events: list[Event] = []
        self.ended: dict[str, str] = {}
        """Names of what has been delivered or given up, in order, with those that they have beside a recipient (`name_beside`)."""
        self.pending: list[Outcome] = []
        """What still waits."""
        self.next_at = float("inf")

    async def run(self, outcomes: Sequence[Outcome]) -> Settlement:
        failed: list[Failed] = []
        overdue: list[tuple[str, Failed]] = []
        given_up: list[str] = []
        for outcome in outcomes:
            self.left.update(_ancestors(outcome))
        for outcome in outcomes:
            match outcome:
                case Delivered():
                    self._note_delivered(outcome)
                    await self._announce(outcome)
                case Failed():
                    await self._announce(outcome)
                    self._log(outcome)
                    if outcome.router or not outcome.is_unlogged:  # not given up by an administrator
                        self.settler.forget_routing((outcome.address, *_ancestors(outcome)))
                    failed.append(outcome)
                case Deferred():
                    failure = await self._note_deferred(outcome)
                    if failure is not None:
                        overdue.append((outcome.first, failure))
                        given_up.append(f"** {named(outcome, self.settler.style)}: {RETRY_TIMEOUT}")
        for line in reversed(given_up):  # when all else is over, the last one first
            self._say(line)
        failed.extend(_in_order(overdue))
        needs_sync = any(isinstance(o, Delivered) and o.host is None for o in outcomes)
        await self._report_success(outcomes)
        await self._report_failures(failed)
        if not self.events and any(isinstance(o, Deferred) and o.is_frozen for o in outcomes):
            self._say("Frozen")
            self.lines.append(line_frozen())
            self.events.append(Frozen(self.now))
            await self._tell_frozen("")
        if needs_sync and not self.pending and any(isinstance(o, Delivered) and o.host for o in outcomes):
            return self._complete_with_remote(outcomes)
        return await self._conclude(needs_sync)

    def _complete_with_remote(self, outcomes: Sequence[Outcome]) -> Settlement:
        """What other servers have taken is noted before the sync that the local deliveries wait for: a crash meanwhile must not send it
        again. Where an address goes to this machine as well, only the way to the other is noted."""
        here = {name for o in outcomes if isinstance(o, Delivered) and o.host is None for name in o.names}
        there = [o.names[0] for o in outcomes if isinstance(o, Delivered) and o.host is not None]
        taken = [name for name in there if name not in here]
        return Settlement(True, True, events=tuple(Settled(address, self.now) for address in taken))

    def _log(self, outcome: Outcome) -> None:
        if id(outcome) not in self.told:
            self.settler.tell(self.queued, outcome)
        is_unlogged = outcome.is_unlogged and not outcome.is_in_own_log
        if is_unlogged or (is_early(outcome) and self.queued.progress.attempts):
            return
        for line in lines_outcome(outcome, self.settler.line(self.queued, outcome), self.settler.style):
            if not (line.startswith("H=") and line in self.lines):  # a host that was asked once
                self.lines.append(line)

    async def _announce(self, outcome: Outcome) -> None:
        if outcome.announce is not None and id(outcome) not in self.told:
            await outcome.announce()

    def _say(self, text: str) -> None:
        self.settler.journal.main(f"{self.queued.id} {text}")

    def _note_delivered(self, outcome: Delivered) -> None:
        self._note_children(outcome)
        self._log(outcome)
        self.settler.forget_hints(outcome, self.queued.envelope.sender)
        self._done(outcome)

    def _done(self, outcome: Outcome) -> None:
        """Even where another way to it has been put off. Whether its recipient is, the end of the attempt shows."""
        self.ended[outcome.names[0]] = name_beside(outcome.names[0], outcome.transport, outcome.router)

    def _note_children(self, outcome: Delivered) -> None:
        for ancestor in _ancestors(outcome):
            self.left[ancestor] -= 1
            if not self.left[ancestor]:
                self.lines.append(line_children_done(ancestor))

    async def _note_deferred(self, outcome: Deferred) -> Failed | None:
        """The failure that a deferral has become when its retry time is over."""
        settler, envelope = self.settler, self.queued.envelope
        self._log(outcome)
        if envelope.is_dry:
            self._wait_for(outcome, self.now)
            return None
        if outcome.error == BUSY:
            self._wait_for(outcome, self.now + BUSY_INTERVAL)
            return None
        if outcome.error != SKIPPED:
            settler.forget_routing(
                (outcome.address, *_ancestors(outcome)) if outcome.transport else _ancestors(outcome),
                but=outcome.retry_keys,
            )
        if outcome.is_frozen and not outcome.retry_keys:
            self.pending.append(outcome)
            return None
        told = (
            msgspec.structs.replace(outcome, error="frozen")
            if outcome.is_frozen and outcome.error == "routing"
            else outcome
        )
        state = await settler.retries.note_waiting(told, envelope.sender, envelope.received_at, self.now)
        if outcome.is_frozen:
            self.pending.append(outcome)
            return None
        if not state.is_expired:
            self._wait_for(outcome, state.next_try)
            return None
        return expired(outcome)

    def _wait_for(self, outcome: Outcome, next_try: float) -> None:
        self.pending.append(outcome)
        at = next_try if next_try > self.now else self.now + self.settler.ending.queue_interval
        self.next_at = min(self.next_at, at)

    async def _report_success(self, outcomes: Sequence[Outcome]) -> None:
        try:
            await self.settler.notices.success(self.queued, outcomes)
        except NOT_SENT as full:
            self._say(f"success notification not sent: {full}")

    async def _report_failures(self, failures: Sequence[Failed]) -> None:
        """Bounce what failed, to each address that wants to know; freeze what nobody can be told. Who hears of the last failure is told first,
        as with Exim."""
        groups: dict[str, list[Failed]] = {}
        readers: list[str] = []
        recipients = recipients_of(self.queued)
        unreportable: list[Failed] = []
        for failure in failures:
            told = self.errors_to.get((failure.address, failure.recipient))
            to = (self.queued.envelope.sender or "") if told is None else told
            recipient = recipients.get(failure.recipient) or Recipient(failure.recipient)
            if failure.is_silent:
                self._done(failure)
            elif not bounce.wants_failure_notice(recipient):
                self._ignore(failure, ": RFC 3461 DSN, failure notify not requested")
            elif told == "":  # a router's `errors_to =` discards the error
                self._ignore(failure)
            elif to:
                groups.setdefault(to, []).append(failure)
                readers.append(to)
            else:
                unreportable.append(failure)
        for to in dict.fromkeys(reversed(readers)):
            await self._bounce(to, groups[to])
        if unreportable:
            await self._freeze_or_ignore(unreportable)

    async def _bounce(self, to: str, group: list[Failed]) -> None:
        try:
            await self.settler.notices.bounce(self.queued, to, group)
        except NotTaken:
            self.pending.extend(group)
            self.events.append(Frozen(self.now))
            self._say(f"Process failed (1) when writing error message to {to} (frozen)")
            return
        except SpoolFull as full:
            self._say(f"bounce to {to} not sent: {full}")
            for failure in group:
                self._wait_for(failure, self.now)
            return
        for failure in group:
            self._done(failure)

    async def _freeze_or_ignore(self, failures: list[Failed]) -> None:
        """A bounce that cannot be delivered is kept for an administrator, for a while (`ignore_bounce_errors_after`); one that was tried for
        as long as the retry rules want is not."""
        age = self.now - self.queued.envelope.received_at
        is_old = age >= self.settler.ending.ignore_bounce_errors_after
        kept: list[Failed] = []
        for failure in failures:
            if is_old or failure.reason.log.endswith(RETRY_TIMEOUT):
                self._ignore(failure)
            else:
                kept.append(failure)
        if kept:
            await self._freeze(kept)

    async def _freeze(self, failures: list[Failed]) -> None:
        self.lines.append(line_frozen("delivery error message"))
        self.pending[:0] = reversed(failures)
        self.events.append(Frozen(self.now))
        await self._tell_frozen("delivery error message")
        self._say("Frozen (delivery error message)")

    async def _tell_frozen(self, why: str) -> None:
        to = self.settler.ending.freeze_tell
        try:
            await self.settler.notices.tell_frozen(self.queued, to, why, self.pending)
        except NOT_SENT as full:
            self._say(f"{', '.join(to)} not told of freezing: {full}")

    def _ignore(self, failure: Failed, why: str = "") -> None:
        self._say(f"{named(failure, self.settler.style)}: error ignored{why}")
        self._done(failure)

    async def _conclude(self, needs_sync: bool) -> Settlement:
        if not self.pending:
            return COMPLETE_LOCAL if needs_sync else COMPLETE
        if needs_sync:
            await self.settler.user_files.sync()
        waiting: set[str] = set()
        for outcome in self.pending:
            waiting.add(outcome.recipient)
            if outcome.names[0] not in self.ended:
                waiting.add(outcome.names[0])
            if isinstance(outcome, Deferred):
                waiting.update(outcome.also_for)
        known = recipients_of(self.queued)
        done = [name for name in dict.fromkeys((*self.ended, *known)) if name not in waiting]
        done += [beside for name, beside in self.ended.items() if name in waiting]
        events: list[Event] = [Settled(a, self.now) for a in done if a not in self.queued.progress.settled]
        events.extend(replaced(self.pending, self.replacements))
        is_frozen = bool(self.events)
        next_at = float("inf") if is_frozen else self.next_at
        if is_frozen or not (self.is_provisional or (not events and self._is_untouched())):
            events.append(Attempted(self.now, 0.0 if is_frozen else next_at))
        events.extend(self.events)
        if not is_frozen:
            events.extend(await self._warnings())
        return Settlement(False, False, next_at, tuple(events), tuple(self.lines))

    def _is_untouched(self) -> bool:
        """Tried before, and nothing was tried now: that is not worth writing a file for, of which a run may pass a hundred thousand."""
        return self.queued.progress.attempts > 0 and all(
            isinstance(o, Deferred) and o.error == SKIPPED for o in self.pending
        )

    async def _warnings(self) -> list[Event]:
        try:
            sent = await self.settler.notices.warn(self.queued, self.pending)
        except NotTaken:
            return []
        except SpoolFull as full:
            self._say(f"delay warning not sent: {full}")
            return []
        return [Warned(self.now)] * sent


def _in_order(overdue: Sequence[tuple[str, Failed]]) -> list[Failed]:
    """A bounce names the last failure first, and those whose time is over in front, in their order; but those of one transaction backwards."""
    together = [[each for _, each in group] for _, group in groupby(overdue, key=_transaction)]
    return [each for group in reversed(together) for each in group]


def _transaction(overdue: tuple[str, Failed]) -> str:
    first, failure = overdue
    return first or failure.address


def _ancestors(outcome: Outcome) -> tuple[str, ...]:
    """What has been redirected to it, nearest first."""
    return (*outcome.parents, outcome.recipient) if outcome.recipient != outcome.address else ()
