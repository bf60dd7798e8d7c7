"""What the outcomes of one attempt mean: log lines, retry hints, notices, and how far the message has come.

The order keeps the promise of the spool: write what was delivered to disk, then accept the bounces, then record the addresses as
settled. A crash at any point repeats work; it loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set

import msgspec

from pillarbox.flow.own_message import NOT_SENT
from pillarbox.flow.queue.following import Following, Record
from pillarbox.flow.queue.holding import is_early
from pillarbox.flow.queue.notices import Notices
from pillarbox.flow.queue.patience import Patience
from pillarbox.flow.queue.replacing import NO_REPLACEMENTS, as_logged
from pillarbox.flow.queue.retry import Retries
from pillarbox.flow.queue.routed import ErrorsTo
from pillarbox.flow.queue.settling import COMPLETE, COMPLETE_LOCAL, Settlement, Settling
from pillarbox.flow.route.result import Letter, Notification
from pillarbox.mail.address import split_address
from pillarbox.mail.outcome import Deferred, Delivered, Outcome
from pillarbox.mail.progress import Added, Event, Frozen
from pillarbox.ports.clock import Clock
from pillarbox.ports.journal import Journal
from pillarbox.ports.spool import MessageGone, Queued, Spool
from pillarbox.ports.userfiles import UserFiles
from pillarbox.wire.exim.log_line import dsn_wishes, line_completed
from pillarbox.wire.exim.log_style import USUAL, LogStyle
from pillarbox.wire.exim.message_id import decode
from pillarbox.wire.exim.message_log import line_begin
from pillarbox.wire.exim.outcome_line import line_outcome


class Ending(msgspec.Struct, frozen=True):
    """Rules for what cannot be bounced."""

    ignore_bounce_errors_after: float = 10 * 7 * 86400.0
    queue_interval: float = 1800.0
    """An address that has no retry rule's time is due again after this long."""
    freeze_tell: tuple[str, ...] = ()
    """Who hears of a frozen message."""


class Settler:
    """Draws the consequences of outcomes."""

    __slots__ = (
        "clock",
        "ending",
        "frozen_directory",
        "journal",
        "keeps_logs",
        "notices",
        "patience",
        "retries",
        "style",
        "user_files",
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
        self.journal = journal
        self.retries = retries
        self.notices = notices
        self.user_files = user_files
        self.clock = clock
        self.patience = Patience(journal, clock)
        """Of messages that cannot be given back yet."""
        self.ending = ending
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
        errors_to: ErrorsTo,
        replacements: Mapping[str, Added] = NO_REPLACEMENTS,
        told: Set[int] = frozenset(),
        *,
        is_provisional: bool = False,
    ) -> Settlement:
        """`errors_to`: where its failures are reported, for those that a router redirected. `replacements`: what takes an
        address's place on the envelope when the address waits (`one_time`). `told`: identities of outcomes that are in the log already.
        `is_provisional`: only half of an attempt was meant, so that the message counts as untried."""
        if not queued.progress.attempts and not self.keeps_logs and self._is_plain_success(queued, outcomes):
            if outcomes[0].announce is not None:
                await outcomes[0].announce()
            return COMPLETE if outcomes[0].host is not None else COMPLETE_LOCAL
        settling = Settling(self, queued, errors_to, replacements, told, is_provisional=is_provisional)
        settlement = await settling.run(outcomes)
        if settlement.is_complete and self.keeps_logs:
            for line in settling.lines:
                self.journal.message(queued.id, line)
        return settlement

    async def sync(self) -> None:
        """Make local deliveries durable. Raises OSError, DeliveryFailure."""
        await self.user_files.sync()

    def begin_log(self, queued: Queued) -> None:
        """Most messages need no log of their own, so it begins when one has to stay. Of our own messages it has begun (`inject`)."""
        envelope = queued.envelope
        if (
            envelope.sender is not None
            or envelope.origin.protocol != "local"
            or envelope.origin.caller_uid >= 0
        ):
            line = line_begin(envelope, queued.message, style=self.style, arrival=queued.arrival)
            self.journal.message(envelope.id, line)

    def follow(self, queued: Queued, record: Record) -> Following:
        """Somebody who logs outcomes as they come, and has `record` keep what is settled by them."""
        return Following(
            queued.id,
            tell=lambda outcome: self.tell(queued, outcome),
            record=record,
            sync=self.user_files.sync,
            clock=self.clock,
        )

    def tell(self, queued: Queued, outcome: Outcome) -> None:
        """Its line in the log, unless it is not to have one."""
        if outcome.is_unlogged or (is_early(outcome) and not self.style.shows("retry_defer")):
            return
        line = self.line(queued, outcome)
        if isinstance(outcome, Deferred) and outcome.is_panic:
            self.journal.panic(line)
        else:
            self.journal.main(line)

    async def send(self, queued: Queued, letter: Letter | Notification) -> None:
        """What routing wants somebody told; the log says so where there is no room for it."""
        try:
            if isinstance(letter, Letter):
                await self.notices.letter(queued, letter)
            else:
                await self.notices.notification(queued, letter)
        except NOT_SENT as full:
            to = letter.to if isinstance(letter, Letter) else ", ".join(letter.to)
            self.journal.main(f"{queued.id} letter to {to} not sent: {full}")

    async def tell_frozen_by_acl(self, queued: Queued) -> None:
        to = self.ending.freeze_tell
        if not to:
            return
        try:
            await self.notices.tell_frozen(queued, to, "", (), is_on_arrival=True)
        except NOT_SENT as full:
            self.journal.main(f"{queued.id} {', '.join(to)} not told of freezing: {full}")

    async def complete(self, message_id: str) -> None:
        """The last log line of a message, once it has left the spool."""
        age = self.clock.now() - decode(message_id).time if self.style.shows("queue_time_overall") else 0.0
        self.journal.main(line_completed(message_id, style=self.style, age=age))
        if self.keeps_logs:
            self.journal.message_done(message_id)

    async def set_aside(self, message_id: str, events: Sequence[Event], spool: Spool) -> bool:
        """A message that has just been frozen and released is moved out of the queue, where that is wanted; whether it was."""
        if not self.frozen_directory or not any(isinstance(event, Frozen) for event in events):
            return False
        try:
            await spool.move(message_id, self.frozen_directory, "F")
        except MessageGone:
            return False
        self.journal.main(f"{message_id} moved from input, msglog to Finput, Fmsglog")
        return True

    def line(self, queued: Queued, outcome: Outcome) -> str:
        if queued.progress.replacements:
            outcome = as_logged(outcome, queued.progress)
        if self.style.is_default:
            return line_outcome(queued.id, outcome, queue=queued.envelope.queue)
        envelope = queued.envelope
        if isinstance(outcome, Delivered) and outcome.transport and (outcome.host is None or outcome.is_dry):
            outcome = _with_local_facts(outcome, queued)
        age = self.clock.now() - envelope.received_at
        return line_outcome(
            queued.id,
            outcome,
            style=self.style,
            sender=envelope.sender,
            age=age,
            queue=envelope.queue,
            has_dsn=self.style.shows("dsn") and bool(dsn_wishes(envelope, envelope.recipients)),
        )

    def _is_plain_success(self, queued: Queued, outcomes: Sequence[Outcome]) -> bool:
        """The fast lane's usual case: one recipient, delivered, nobody to be told."""
        recipients = queued.envelope.recipients
        if len(outcomes) != 1 or len(recipients) != 1 or recipients[0].notify or queued.progress.added:
            return False
        outcome = outcomes[0]
        if not isinstance(outcome, Delivered) or outcome.is_unlogged:
            return False
        self.journal.main(self.line(queued, outcome))
        self.forget_hints(outcome, queued.envelope.sender)
        return True

    def forget_hints(self, outcome: Delivered, sender: str | None) -> None:
        """Success starts the retry clocks of the address anew; hosts' own are the transport's business."""
        address = outcome.address
        domain = split_address(address)[1].lower()
        if outcome.is_late:
            self.retries.forget(f"R:{domain}")
            return
        above = outcome.parents[0] if outcome.parents else outcome.recipient
        own: tuple[str, ...] = (f"T:{address}", f"T:{address}:{above}", f"T:{domain}")
        if outcome.host is not None:
            own = (f"R:{address}:<{sender or ''}>",)
        self.retries.forget(f"R:{domain}", f"R:{address}", *own)
        if outcome.recipient != address:
            self.forget_routing(outcome.parents)
            self.forget_routing((outcome.recipient,))

    def forget_routing(self, addresses: Iterable[str], but: Sequence[str] = ()) -> None:
        """The routers have answered for these, whatever became of what they lead to. `but`: keys under which a host's words are kept."""
        for address in addresses:
            keys = f"R:{split_address(address)[1].lower()}", f"R:{address}"
            self.retries.forget(*(key for key in keys if key not in but))


def _with_local_facts(outcome: Delivered, queued: Queued) -> Delivered:
    """What hardly any log shows is not carried through local deliveries: the sender, and about the size."""
    path = queued.envelope.sender or "" if outcome.return_path is None else outcome.return_path
    return msgspec.structs.replace(outcome, return_path=path, size=outcome.size or queued.message.size)
