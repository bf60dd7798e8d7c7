"""The message that tells a user that the mailbox has grown above its threshold (Exim 26.2: quota_warn_message)."""

from __future__ import annotations

from collections.abc import Iterable

from pillarbox.flow.own_message import NOT_SENT
from pillarbox.flow.transport.job import Job
from pillarbox.flow.transport.replying.composing import received_line
from pillarbox.flow.transport.services import TransportServices
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.octets import octets
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.mail.date import format_date
from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.header import parse_headers, unfold
from pillarbox.mail.message import Message
from pillarbox.mail.mime_addresses import Mailbox, parse_addresses


async def warn_of_quota(template: Template, job: Job, scope: Scope, services: TransportServices) -> None:
    """Who it goes to stands in its own `To:`. What goes wrong is logged, and the delivery stands."""
    if services.inject is None:
        return
    journal, about = services.journal, job.envelope.id
    try:
        text = await template.expand(scope)
    except (ExpansionFailed, ExpansionDeferred) as error:
        journal.panic(f"{about} Failed to expand quota_warn_message: {error}")
        return
    text = text if text.endswith("\n") else f"{text}\n"
    message_id, now = services.inject.new_id(), services.clock.now()
    message = _complete(Message.parse(text.encode("utf-8", "surrogateescape")), message_id, now, services)
    recipients = tuple(Recipient(address) for address in _recipients(message))
    if not recipients:
        journal.main(f"{about} quota_warn_message has no recipients")
        return
    envelope = Envelope(
        id=message_id,
        sender=None,
        recipients=recipients,
        origin=Origin(ident=services.login),
        received_at=now,
    )
    try:
        await services.inject(envelope, message, about)
    except NOT_SENT as full:
        journal.main(f"{about} quota warning not sent: {full}")


def _complete(message: Message, message_id: str, now: float, services: TransportServices) -> Message:
    """With the fields that the text does not have, in Exim's order."""
    given = {field.name.lower() for field in parse_headers(message.headers)}
    sender = f"Mail Delivery System <Mailer-Daemon@{services.qualify_domain}>"
    before = (("Auto-Submitted", "auto-replied"), ("From", sender))
    after = (("Message-Id", f"<E{message_id}@{services.hostname}>"), ("Date", format_date(now)))
    received = received_line(
        _recipients(message), message_id, services.login or "mail", services.hostname, now
    )
    headers = octets(received) + _lines(before, given) + message.headers + _lines(after, given)
    return Message(headers, message.body)


def _lines(fields: Iterable[tuple[str, str]], given: set[str]) -> bytes:
    return octets("".join(f"{name}: {value}\n" for name, value in fields if name.lower() not in given))


def _recipients(message: Message) -> list[str]:
    found: list[str] = []
    for field in parse_headers(message.headers):
        if field.name.lower() in ("to", "cc", "bcc"):
            items = parse_addresses(unfold(field.raw.split(b":", 1)[1]).strip())
            found += [_address(item) for item in items if isinstance(item, Mailbox)]
    return list(dict.fromkeys(found))


def _address(item: Mailbox) -> str:
    return (item.local_part + b"@" + item.domain).decode("utf-8", "surrogateescape")
