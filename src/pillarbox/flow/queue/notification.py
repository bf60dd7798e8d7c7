"""What a Sieve script has somebody told (`notify`, RFC 5435, RFC 5436), as a message from the user whose script it is."""

from __future__ import annotations

from pillarbox.flow.route.result import Notification
from pillarbox.flow.transport.replying.composing import Author, is_from, received_line
from pillarbox.language.expand.octets import octets, text_of
from pillarbox.language.rewrite.display_name import show_sender
from pillarbox.mail import header
from pillarbox.mail.date import format_date
from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.message import MemoryBody, Message


def compose_notification(
    notification: Notification, author: Author, message_id: str, now: float
) -> tuple[Envelope, Message]:
    """`author`: the user, who gets what bounces unless that could go round. `now`: epoch seconds."""
    own = f"{author.login}@{author.qualify_domain}"
    block = received_line(notification.to, message_id, author.login, author.hostname, now)
    block += f"{notification.headers}Message-Id: <E{message_id}@{author.hostname}>\n"
    if not is_from(own, _sender(notification)):
        block += f"Sender: {show_sender(author.full_name, own)}\n"
    block += f"Date: {format_date(now)}\n"
    body = octets(notification.text)
    if body and not body.endswith(b"\n"):
        body += b"\n"
    envelope = Envelope(
        id=message_id,
        sender=None if notification.is_unanswerable else own,
        recipients=tuple(Recipient(address) for address in dict.fromkeys(notification.to)),
        origin=Origin(protocol="local", ident=author.login),
        received_at=now,
        body_type="" if body.isascii() else "8BITMIME",
    )
    return envelope, Message(octets(block), MemoryBody(body))


def _sender(notification: Notification) -> str:
    value = header.first(octets(notification.headers), "from") or b""
    return text_of(value)
