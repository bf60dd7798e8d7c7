"""What the outcomes of one attempt mean: log lines, retry hints, notices, and how far the message has come.

The order keeps the promise of the spool: write what was delivered to disk, then accept the bounces, then record the addresses as
settled. A crash at any point repeats work; it loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

import msgspec

from pillarbox.flow.own_message import NOT_SENT, NotTaken
from pillarbox.flow.queue import bounce
from pillarbox.flow.queue.expiry import expired
from pillarbox.flow.queue.following import Following, Record
from pillarbox.flow.queue.notices import Notices, recipients_of
from pillarbox.flow.queue.replacing import NO_REPLACEMENTS, as_logged, by_router
from pillarbox.flow.queue.retry import RETRY_TIMEOUT, Retries
from pillarbox.flow.route.result import Letter
from pillarbox.flow.transport.job import BUSY, SKIPPED
from pillarbox.mail.address import split_address
from pillarbox.mail.envelope import Recipient
from pillarbox.mail.outcome import Deferred, Delivered, Failed, Outcome
from pillarbox.mail.progress import Added, Attempted, Event, Frozen, Settled, Warned
from pillarbox.ports.clock import Clock
from pillarbox.ports.journal import Journal
from pillarbox.ports.spool import MessageGone, Queued, Spool, SpoolFull
from pillarbox.ports.userfiles import UserFiles
from pillarbox.wire.exim.log_line import dsn_wishes, line_completed
from pillarbox.wire.exim.log_style import USUAL, LogStyle
from pillarbox.wire.exim.message_id import decode
from pillarbox.wire.exim.message_log import line_begin, line_frozen, lines_outcome
from pillarbox.wire.exim.outcome_line import line_outcome, named


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


class Ending(msgspec.Struct, frozen=True):
    """Rules for what cannot be bounced."""

    ignore_bounce_errors_after: float = 10 * 7 * 86400.0
    queue_interval: float = 1800.0
    """An address that has no retry rule's time is due again after this long."""
    freeze_tell: tuple[str, ...] = ()
    """Who hears of a frozen message."""


BUSY_INTERVAL = 60.0
"""Seconds until a message comes back that found too much under way."""
COMPLETE_LOCAL = Settlement(is_complete=True, needs_sync=True)
COMPLETE = Settlement(is_complete=True)


class Settler:
    """Draws the consequences of outcomes."""

    __slots__ = (
        "_clock",
        "_ending",
        "_journal",
        "_notices",
        "_user_files",
        "frozen_directory",
        "keeps_logs",
        "retries",
        "style",
    )

    def __init__(
        self,
        journal: Journal,
        retries: Retries,
        notices: Notices,
        user_files: UserFiles,
        clock: Clock,
        ending: Ending,
        style: LogStyle = USUAL,
    ) -> None:
        self._journal = journal
        self.retries = retries
        self._notices = notices
        self._user_files = user_files
        self._clock = clock
        self._ending = ending
        self.frozen_directory = ""
        """Where frozen messages are moved to, out of the queue (`move_frozen_messages`); empty: they stay."""
        self.keeps_logs = False
        """`preserve_message_logs`: messages have a log of their own even when they are delivered at once."""
        self.style = style
        """What log lines show."""

    async def settle(
        self,
        queued: Queued,
        outcomes: Sequence[Outcome],
        errors_to: dict[str, str],
        replacements: Mapping[str, Added] = NO_REPLACEMENTS,
        told: Set[int] = frozenset(),
        *,
        is_provisional: bool = False,
    ) -> Settlement:
        """`errors_to`: address → where its failures are reported, for those that a router redirected. `replacements`: what takes an
        address's place on the envelope when the address waits (`one_time`). `told`: identities of outcomes that are in the log already.
        `is_provisional`: only half of an attempt was meant, so that the message counts as untried."""
        if not queued.progress.attempts and not self.keeps_logs and self._is_plain_success(queued, outcomes):
            if outcomes[0].announce is not None:
                await outcomes[0].announce()
            return COMPLETE if outcomes[0].host is not None else COMPLETE_LOCAL
        settling = _Settling(self, queued, errors_to, replacements, told, is_provisional=is_provisional)
        settlement = await settling.run(outcomes)
        if settlement.is_complete and self.keeps_logs:
            for line in settling.lines:
                self._journal.message(queued.id, line)
        return settlement

    async def sync(self) -> None:
        """Make local deliveries durable. Raises OSError, DeliveryFailure."""
        await self._user_files.sync()

    def begin_log(self, queued: Queued) -> None:
        """Most messages need no log of their own, so it begins when one has to stay. Of our own messages it has begun (`inject`)."""
        envelope = queued.envelope
        if (
            envelope.sender is not None
            or envelope.origin.protocol != "local"
            or envelope.origin.caller_uid >= 0
        ):
            line = line_begin(envelope, queued.message, style=self.style)
            self._journal.message(envelope.id, line)

    def follow(self, queued: Queued, record: Record) -> Following:
        """Somebody who logs outcomes as they come, and has `record` keep what is settled by them."""
        return Following(
            queued.id,
            recipients_of(queued),
            tell=lambda outcome: self.tell(queued, outcome),
            record=record,
            sync=self._user_files.sync,
            clock=self._clock,
        )

    def tell(self, queued: Queued, outcome: Outcome) -> None:
        """Its line in the log, unless it is not to have one."""
        is_early = isinstance(outcome, Deferred) and outcome.error == SKIPPED
        if outcome.is_unlogged or (is_early and not self.style.shows("retry_defer")):
            return
        line = self.line(queued, outcome)
        if isinstance(outcome, Deferred) and outcome.is_panic:
            self._journal.panic(line)
        else:
            self._journal.main(line)

    async def send(self, queued: Queued, letter: Letter) -> None:
        try:
            await self._notices.letter(queued, letter)
        except NOT_SENT as full:
            self._journal.main(f"{queued.id} letter to {letter.to} not sent: {full}")

    async def tell_frozen_by_acl(self, queued: Queued) -> None:
        to = self._ending.freeze_tell
        if not to:
            return
        try:
            await self._notices.tell_frozen(queued, to, "", (), is_on_arrival=True)
        except NOT_SENT as full:
            self._journal.main(f"{queued.id} {', '.join(to)} not told of freezing: {full}")

    async def complete(self, message_id: str) -> None:
        """The last log line of a message, once it has left the spool."""
        age = self._clock.now() - decode(message_id).time if self.style.shows("queue_time_overall") else 0.0
        self._journal.main(line_completed(message_id, style=self.style, age=age))
        if self.keeps_logs:
            self._journal.message_done(message_id)

    async def set_aside(self, message_id: str, events: Sequence[Event], spool: Spool) -> bool:
        """A message that has just been frozen and released is moved out of the queue, where that is wanted; whether it was."""
        if not self.frozen_directory or not any(isinstance(event, Frozen) for event in events):
            return False
        try:
            await spool.move(message_id, self.frozen_directory, "F")
        except MessageGone:
            return False
        self._journal.main(f"{message_id} moved from input, msglog to Finput, Fmsglog")
        return True

    def line(self, queued: Queued, outcome: Outcome) -> str:
        if queued.progress.replacements:
            outcome = as_logged(outcome, queued.progress)
        if self.style.is_default:
            return line_outcome(queued.id, outcome, queue=queued.envelope.queue)
        envelope = queued.envelope
        if isinstance(outcome, Delivered) and outcome.host is None and outcome.transport:
            outcome = _with_local_facts(outcome, queued)
        age = self._clock.now() - envelope.received_at
        return line_outcome(
            queued.id,
            outcome,
            style=self.style,
            sender=envelope.sender,
            age=age,
            queue=envelope.queue,
            has_dsn=self.style.shows("dsn") and bool(dsn_wishes(envelope)),
        )

    def _is_plain_success(self, queued: Queued, outcomes: Sequence[Outcome]) -> bool:
        """The fast lane's usual case: one recipient, delivered, nobody to be told."""
        recipients = queued.envelope.recipients
        if len(outcomes) != 1 or len(recipients) != 1 or recipients[0].notify or queued.progress.added:
            return False
        outcome = outcomes[0]
        if not isinstance(outcome, Delivered) or outcome.is_unlogged:
            return False
        self._journal.main(self.line(queued, outcome))
        self.forget_hints(outcome, queued.envelope.sender)
        return True

    def forget_hints(self, outcome: Outcome, sender: str | None) -> None:
        """Success starts the retry clocks of the address anew; hosts' own are the transport's business."""
        address = outcome.address
        domain = split_address(address)[1].lower()
        own = (f"T:{address}", f"T:{domain}") if outcome.host is None else (f"R:{address}:<{sender or ''}>",)
        self.retries.forget(f"R:{domain}", f"R:{address}", *own)


class _Settling:
    """One message being settled."""

    __slots__ = (
        "delivered",
        "errors_to",
        "events",
        "is_provisional",
        "lines",
        "next_at",
        "now",
        "pending",
        "queued",
        "replacements",
        "settled",
        "settler",
        "told",
    )

    def __init__(
        self,
        settler: Settler,
        queued: Queued,
        errors_to: dict[str, str],
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
        self.now = settler._clock.now()
        self.lines: list[str] = []
        self.events: list[Event] = []
        self.settled: dict[str, None] = {}
        self.delivered: list[Delivered] = []
        """Addresses done, in order."""
        self.pending: list[Outcome] = []
        """What still waits."""
        self.next_at = float("inf")

    async def run(self, outcomes: Sequence[Outcome]) -> Settlement:
        failed: list[Failed] = []
        overdue: list[Failed] = []
        for outcome in outcomes:
            match outcome:
                case Delivered():
                    self._note_delivered(outcome)
                    await self._announce(outcome)
                case Failed():
                    await self._announce(outcome)
                    self._log(outcome)
                    failed.append(outcome)
                case Deferred():
                    overdue.extend(await self._note_deferred(outcome))
        failed.extend(reversed(overdue))  # a bounce names the last first, and these in front, in their order
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
        here = [o for o in outcomes if isinstance(o, Delivered) and o.host is None]
        local = {o.address for o in here} | {o.recipient for o in here}
        taken = [
            by_router(o.address, o.router) if o.address in local else o.address
            for o in outcomes
            if isinstance(o, Delivered) and o.host is not None
        ]
        return Settlement(True, True, events=tuple(Settled(address, self.now) for address in taken))

    def _log(self, outcome: Outcome) -> None:
        if id(outcome) not in self.told:
            self.settler.tell(self.queued, outcome)
        is_early = isinstance(outcome, Deferred) and outcome.error == SKIPPED
        if outcome.is_unlogged or (is_early and self.queued.progress.attempts):
            return
        for line in lines_outcome(outcome, self.settler.line(self.queued, outcome), self.settler.style):
            if not (line.startswith("H=") and line in self.lines):  # a host that was asked once
                self.lines.append(line)

    async def _announce(self, outcome: Outcome) -> None:
        if outcome.announce is not None and id(outcome) not in self.told:
            await outcome.announce()

    def _say(self, text: str) -> None:
        self.settler._journal.main(f"{self.queued.id} {text}")

    def _note_delivered(self, outcome: Delivered) -> None:
        self._log(outcome)
        self.settler.forget_hints(outcome, self.queued.envelope.sender)
        self.settled[outcome.address] = None
        self.delivered.append(outcome)

    async def _note_deferred(self, outcome: Deferred) -> list[Failed]:
        """The failure that a deferral has become when its retry time is over; else nothing."""
        settler, envelope = self.settler, self.queued.envelope
        self._log(outcome)
        if envelope.is_dry:
            self._wait_for(outcome, self.now)
            return []
        if outcome.error == BUSY:
            self._wait_for(outcome, self.now + BUSY_INTERVAL)
            return []
        if outcome.is_frozen and not outcome.retry_keys:
            self.pending.append(outcome)
            return []
        told = (
            msgspec.structs.replace(outcome, error="frozen")
            if outcome.is_frozen and outcome.error == "routing"
            else outcome
        )
        state = await settler.retries.note_waiting(told, envelope.sender, envelope.received_at, self.now)
        if outcome.is_frozen:
            self.pending.append(outcome)
            return []
        if not state.is_expired:
            self._wait_for(outcome, state.next_try)
            return []
        failed = expired(outcome)
        self._say(f"** {named(outcome, settler.style)}: {RETRY_TIMEOUT}")
        return [failed]

    def _wait_for(self, outcome: Outcome, next_try: float) -> None:
        self.pending.append(outcome)
        at = next_try if next_try > self.now else self.now + self.settler._ending.queue_interval
        self.next_at = min(self.next_at, at)

    async def _report_success(self, outcomes: Sequence[Outcome]) -> None:
        try:
            await self.settler._notices.success(self.queued, outcomes)
        except NOT_SENT as full:
            self._say(f"success notification not sent: {full}")

    async def _report_failures(self, failures: Sequence[Failed]) -> None:
        """Bounce what failed, to each address that wants to know; freeze what nobody can be told."""
        groups: dict[str, list[Failed]] = {}
        recipients = recipients_of(self.queued)
        unreportable: list[Failed] = []
        for failure in failures:
            to = self.errors_to.get(failure.address, self.queued.envelope.sender or "")
            recipient = recipients.get(failure.recipient) or Recipient(failure.recipient)
            if failure.is_silent:
                self.settled[failure.address] = None
            elif not bounce.wants_failure_notice(recipient):
                self._ignore(failure, ": RFC 3461 DSN, failure notify not requested")
            elif self.errors_to.get(failure.address) == "":  # a router's `errors_to =` discards the error
                self._ignore(failure)
            elif to:
                groups.setdefault(to, []).append(failure)
            else:
                unreportable.append(failure)
        for to, group in groups.items():
            await self._bounce(to, group)
        if unreportable:
            await self._freeze_or_ignore(unreportable)

    async def _bounce(self, to: str, group: list[Failed]) -> None:
        try:
            await self.settler._notices.bounce(self.queued, to, group)
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
        self.settled.update(dict.fromkeys(failure.address for failure in group))

    async def _freeze_or_ignore(self, failures: list[Failed]) -> None:
        """A bounce that cannot be delivered is kept for an administrator, for a while (`ignore_bounce_errors_after`); one that was tried for
        as long as the retry rules want is not."""
        age = self.now - self.queued.envelope.received_at
        is_old = age >= self.settler._ending.ignore_bounce_errors_after
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
        self.pending.extend(failures)
        self.events.append(Frozen(self.now))
        await self._tell_frozen("delivery error message")
        self._say("Frozen (delivery error message)")

    async def _tell_frozen(self, why: str) -> None:
        to = self.settler._ending.freeze_tell
        try:
            await self.settler._notices.tell_frozen(self.queued, to, why, self.pending)
        except NOT_SENT as full:
            self._say(f"{', '.join(to)} not told of freezing: {full}")

    def _ignore(self, failure: Failed, why: str = "") -> None:
        self._say(f"{named(failure, self.settler.style)}: error ignored{why}")
        self.settled[failure.address] = None

    async def _conclude(self, needs_sync: bool) -> Settlement:
        if not self.pending:
            return COMPLETE_LOCAL if needs_sync else COMPLETE
        if needs_sync:
            await self.settler._user_files.sync()
        waiting = dict.fromkeys((*(o.address for o in self.pending), *(o.recipient for o in self.pending)))
        known = recipients_of(self.queued)
        done = [a for a in dict.fromkeys((*self.settled, *known)) if a not in waiting]
        done += [by_router(each.address, each.router) for each in self.delivered if each.address in waiting]
        events: list[Event] = [Settled(a, self.now) for a in done if a not in self.queued.progress.settled]
        events.extend(dict.fromkeys(self.replacements[a] for a in waiting if a in self.replacements))
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
            sent = await self.settler._notices.warn(self.queued, self.pending)
        except NotTaken:
            return []
        except SpoolFull as full:
            self._say(f"delay warning not sent: {full}")
            return []
        return [Warned(self.now)] * sent


def _with_local_facts(outcome: Delivered, queued: Queued) -> Delivered:
    """What hardly any log shows is not carried through local deliveries: the sender, and about the size."""
    path = queued.envelope.sender or "" if outcome.return_path is None else outcome.return_path
    return msgspec.structs.replace(outcome, return_path=path, size=outcome.size or queued.message.size)
