"""What administrators are told when a message is frozen (`freeze_tell`)."""

from __future__ import annotations

from collections.abc import Sequence

from pillarbox.flow.own_message import reference_to
from pillarbox.flow.queue.bounce import Style
from pillarbox.mail import header
from pillarbox.mail.date import format_date
from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.message import MemoryBody, Message
from pillarbox.mail.outcome import Deferred, Failed, Outcome
from pillarbox.ports.spool import Queued
from pillarbox.wire.exim.log_style import USUAL
from pillarbox.wire.exim.outcome_line import named


def is_our_notice(queued: Queued, style: Style) -> bool:
    """We made this message ourselves: nobody is told when it is frozen, or the telling would never end."""
    message_id = header.first(queued.message.headers, "message-id") or b""
    return queued.envelope.sender is None and message_id == f"<E{queued.id}@{style.hostname}>".encode()


def frozen_notice(
    style: Style,
    message_id: str,
    parent: Queued,
    to: Sequence[str],
    why: str,
    left: Sequence[Outcome],
    now: float,
    *,
    is_on_arrival: bool = False,
) -> tuple[Envelope, Message]:
    """The notice, in Exim's words. `why`: perhaps empty. `is_on_arrival`: by an ACL."""
    reference = reference_to(parent.message)
    lines = [
        f"Received: from mail by {style.hostname} with local (Pillarbox)\n\tid {message_id};\n\t{format_date(now)}",
        "Auto-Submitted: auto-replied",
        f"From: {style.sender_line}",
        f"To: {', '.join(to)}",
        *([f"References: {reference.decode('utf-8', 'surrogateescape')}"] if reference else []),
        f"Subject: Message frozen{' on arrival' if is_on_arrival else ''}",
        f"Message-Id: <E{message_id}@{style.hostname}>",
        f"Date: {format_date(now)}",
    ]
    headers = "".join(f"{line}\n" for line in lines)
    envelope = Envelope(
        id=message_id,
        sender=None,
        recipients=tuple(Recipient(address) for address in to),
        origin=Origin(protocol=style.protocol, ident=style.user),
        received_at=now,
        auth_sender=style.auth_sender,
    )
    shown = _text_on_arrival(parent) if is_on_arrival else _text(parent, why, left)
    text = shown.encode("utf-8", "surrogateescape")
    return envelope, Message(headers.encode("utf-8", "surrogateescape"), MemoryBody(text))


def _text_on_arrival(parent: Queued) -> str:
    sender = parent.envelope.sender or ""
    return f"Message {parent.id} was frozen on arrival by ACL.\nThe sender is <{sender}>.\n"


def _text(parent: Queued, why: str, left: Sequence[Outcome]) -> str:
    reason = f" ({why})" if why else ""
    text = (
        f"Message {parent.id} has been frozen{reason}.\nThe sender is <{parent.envelope.sender or ''}>.\n\n"
    )
    text += "The following address(es) have yet to be delivered:\n"
    for outcome in left:
        shown = f": {outcome.reason.log}" if isinstance(outcome, (Deferred, Failed)) else ""
        text += f"  {named(outcome, USUAL)}{shown}\n"
    return text
