"""Who is told what: bounces, warnings and success notifications, each a new message given to the spool.

A notice is accepted durably before the addresses it reports are settled: a crash between the two repeats the notice, it never
loses it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from pillarbox.flow.queue import bounce, success, warning
from pillarbox.flow.queue.bounce import USUAL_TEXTS, Notice, Report, Style
from pillarbox.flow.queue.frozen import frozen_notice, is_our_notice
from pillarbox.flow.queue.notification import compose_notification
from pillarbox.flow.queue.wording import Wording
from pillarbox.flow.route.result import Letter, Notification
from pillarbox.flow.transport.replying.composing import Author
from pillarbox.mail.envelope import Envelope, Recipient
from pillarbox.mail.message import Message
from pillarbox.mail.outcome import Failed, Outcome
from pillarbox.ports.clock import Clock
from pillarbox.ports.spool import Queued


class Inject(Protocol):
    """Take a message that we made ourselves into the spool and deliver it."""

    def new_id(self) -> str: ...

    async def __call__(
        self, envelope: Envelope, message: Message, parent_id: str, *, queue: str = ""
    ) -> None:
        """`parent_id`: the message that it is about (`R=` in the log); `queue`: the one that it is in. Raises SpoolFull."""
        ...


class WarningPlan(msgspec.Struct, frozen=True):
    """`delay_warning` as seconds, ascending; empty: none."""

    times: tuple[float, ...] = (86400.0,)


def _no_name(login: str) -> str:
    return ""


class Names(msgspec.Struct, frozen=True):
    """What users of this machine are called in the messages that their scripts send."""

    qualify_domain: str = ""
    full_name_of: Callable[[str], str] = _no_name


class Notices:
    """Writes to senders."""

    __slots__ = ("_clock", "_inject", "_names", "_style", "_warnings", "_wording")

    def __init__(
        self,
        inject: Inject,
        style: Style,
        warnings: WarningPlan,
        clock: Clock,
        wording: Wording | None = None,
        names: Names | None = None,
    ) -> None:
        """`wording`: the configuration's own words; None: the usual ones. `names`: of the machine's users."""
        self._names = names or Names()
        self._wording = wording
        self._inject = inject
        self._style = style
        self._warnings = warnings
        self._clock = clock

    async def bounce(self, parent: Queued, to: str, failures: Sequence[Failed]) -> None:
        """One bounce to `to` about all `failures`, of which Exim names the last first. Raises SpoolFull."""
        recipients = recipients_of(parent)
        reports = [Report(f, "failed", _recipient(recipients, f)) for f in reversed(failures)]
        wording = self._wording
        texts = USUAL_TEXTS if wording is None else await wording.of_bounce(parent, to)
        notice = Notice(
            to=to,
            head=texts.head or bounce.bounce_head(parent.envelope, to),
            human=bounce.bounce_text(parent.envelope, to, reports, self._style.text, texts),
            reports=reports,
            copies=() if wording is None else await wording.copies_of(parent, to),
            failed=tuple(bounce.blamed(report.outcome) for report in reports if not report.outcome.is_hidden),
        )
        await self._send(notice, parent)

    async def success(self, parent: Queued, outcomes: Iterable[Outcome]) -> None:
        """What NOTIFY=SUCCESS asked for. Raises SpoolFull."""
        sender = parent.envelope.sender
        reports = success.success_reports(outcomes, recipients_of(parent), self._style.last_hops)
        if sender is None or not reports:
            return
        notice = Notice(
            to=sender,
            head=success.SUBJECT,
            human=success.success_text(reports, self._style.last_hops),
            reports=reports,
            may_return_body=False,
            is_success=True,
        )
        await self._send(notice, parent)

    async def warn(self, parent: Queued, delayed: Sequence[Outcome]) -> int:
        """A delay warning when one is due; how many now count as sent. Raises SpoolFull."""
        sender, sent = parent.envelope.sender, parent.progress.warnings
        age = self._clock.now() - parent.envelope.received_at
        due = warning.warnings_due(self._warnings.times, age)
        if due <= sent or sender is None or not await self._may_warn(parent):
            return 0
        recipients = recipients_of(parent)
        reports = [Report(o, "delayed", _recipient(recipients, o)) for o in reversed(delayed)]
        reports = [r for r in reports if bounce.wants_delay_notice(r.recipient)]
        if not reports:
            return 0
        style, envelope = self._style, parent.envelope
        age = warning.time_of(self._warnings.times, due)
        delay = warning.delay_words(age)
        own = USUAL_TEXTS
        if self._wording is not None:
            own = await self._wording.of_warning(parent, sender, delay)
        text = warning.warning_text(
            envelope, parent.message, sender, reports, age=age, hostname=style.hostname, own=own
        )
        head = own.head or warning.warning_head(envelope, age)
        await self._send(
            Notice(to=sender, head=head, human=text, reports=reports, may_return_body=False), parent
        )
        return due - sent

    async def _may_warn(self, parent: Queued) -> bool:
        if self._wording is None:
            return warning.may_warn(parent.message)
        return await self._wording.may_warn(parent)

    async def tell_frozen(
        self,
        parent: Queued,
        to: Sequence[str],
        why: str,
        left: Sequence[Outcome],
        *,
        is_on_arrival: bool = False,
    ) -> None:
        """`freeze_tell`: a message was frozen. `why`: in brackets behind it, perhaps empty. Raises SpoolFull."""
        if not to or is_our_notice(parent, self._style):
            return
        message_id = self._inject.new_id()
        envelope, message = frozen_notice(
            await self._style_for(parent),
            message_id,
            parent,
            to,
            why,
            left,
            self._clock.now(),
            is_on_arrival=is_on_arrival,
        )
        await self._inject(envelope, message, parent.id, queue=parent.envelope.queue)

    async def letter(self, parent: Queued, letter: Letter) -> None:
        """What routing has to say to somebody (`syntax_errors_to`). Raises SpoolFull."""
        message_id = self._inject.new_id()
        envelope, message = bounce.compose_letter(
            letter, await self._style_for(parent), message_id, parent.message, self._clock.now()
        )
        await self._inject(envelope, message, parent.id, queue=parent.envelope.queue)

    async def notification(self, parent: Queued, notification: Notification) -> None:
        """What a Sieve script has somebody told. Raises SpoolFull."""
        login = notification.login or self._style.user
        author = Author(
            login=login,
            full_name=self._names.full_name_of(login),
            hostname=self._style.hostname,
            qualify_domain=self._names.qualify_domain,
            recipient_domain="",
        )
        message_id = self._inject.new_id()
        envelope, message = compose_notification(notification, author, message_id, self._clock.now())
        await self._inject(envelope, message, parent.id, queue=parent.envelope.queue)

    async def _send(self, notice: Notice, parent: Queued) -> None:
        message_id = self._inject.new_id()
        if self._wording is not None:
            notice = msgspec.structs.replace(notice, charset=await self._wording.charset(parent))
        envelope, message = bounce.compose(
            notice,
            await self._style_for(parent),
            message_id,
            parent.envelope,
            parent.message,
            self._clock.now(),
        )
        await self._inject(envelope, message, parent.id, queue=parent.envelope.queue)

    async def _style_for(self, parent: Queued) -> Style:
        author = await self._wording.author_line(parent) if self._wording is not None else None
        return self._style if author is None else msgspec.structs.replace(self._style, sender_line=author)


def recipients_of(queued: Queued) -> dict[str, Recipient]:
    """The envelope's recipients by address, and those that were added later."""
    found = {r.address: r for r in queued.envelope.recipients}
    for address in queued.progress.added:
        found.setdefault(address, Recipient(address))
    for (
        one
    ) in queued.progress.replacements:  # the sender's wishes went with the recipient that was redirected
        wishes = found.get(one.recipient)
        if wishes is not None:
            found[one.address] = msgspec.structs.replace(wishes, address=one.address)
    return found


def _recipient(recipients: dict[str, Recipient], outcome: Outcome) -> Recipient:
    return recipients.get(outcome.recipient) or Recipient(outcome.recipient)
