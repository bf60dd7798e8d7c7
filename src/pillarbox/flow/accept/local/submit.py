"""A message from a program on this machine: `sendmail -t`, `sendmail user@host`, the offline folder (Exim chapters 5 and 48).

The caller is who the operating system says. Only trusted callers (root, the mail user, `trusted_users`) choose the envelope sender freely;
anybody may send with the null one.
"""

from __future__ import annotations

from email.utils import getaddresses

import msgspec

from pillarbox.flow.accept.finish.received import add_received
from pillarbox.flow.accept.finish.submission import add_missing, fix_up
from pillarbox.flow.accept.policy import AcceptPolicy, AcceptServices
from pillarbox.flow.facts import MessageFacts
from pillarbox.language.expand.scope import Scope
from pillarbox.mail import header
from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.message import Message
from pillarbox.wire.control import Submit
from pillarbox.wire.exim.log_line import line_received
from pillarbox.wire.smtp.grammar import BadSyntax, parse_mailbox

RECIPIENT_HEADERS = ("to", "cc", "bcc")
RESENT_HEADERS = ("resent-to", "resent-cc", "resent-bcc")


class Caller(msgspec.Struct, frozen=True):
    login: str
    uid: int
    gid: int
    is_trusted: bool


class Refused(Exception):
    """The message is not taken; `str()` says why, for the caller's eyes."""


async def submit(
    wish: Submit, data: bytes, caller: Caller, policy: AcceptPolicy, services: AcceptServices
) -> str:
    """Take the message in and start its delivery; its id. Durable on return. Raises Refused, SpoolFull."""
    message = Message.parse(_without_separator(data))
    addresses = _recipients(wish, message.headers)
    recipients = _qualified(addresses, policy.qualify_recipient)
    own_address = f"{caller.login}@{policy.qualify_domain}"
    sender = _sender(wish, caller, policy, own_address)
    now = services.clock.now()
    message_id = services.spool.new_id()
    origin = Origin(protocol="local", ident=caller.login, caller_uid=caller.uid, caller_gid=caller.gid)
    headers = message.headers
    if wish.extract_recipients:
        headers = header.remove(headers, frozenset({"bcc", "resent-bcc"}))
    header_id = f"E{message_id}@{policy.primary_hostname}"
    if caller.is_trusted:
        headers = add_missing(headers, sender or own_address, header_id, now)
    else:
        options = f"name={wish.full_name}" if wish.full_name else ""
        headers = fix_up(
            headers,
            options,
            sender=sender,
            authenticated_id=own_address,
            qualify_domain=policy.qualify_domain,
            message_id=header_id,
            now=now,
        ).headers
    envelope = Envelope(id=message_id, sender=sender, recipients=recipients, origin=origin, received_at=now)
    trace = await _received(envelope, policy, services)
    message = Message(trace + headers, message.body)
    queued = await services.spool.accept(envelope, message)
    services.journal.main(line_received(envelope, message))
    if wish.queue_only:
        await services.spool.park(message_id)
    else:
        services.deliver(queued)
    return message_id


def _without_separator(data: bytes) -> bytes:
    """Without the `From ` line that UUCP and mailbox programs put in front."""
    if data.startswith(b"From "):
        return data.partition(b"\n")[2]
    return data


def _recipients(wish: Submit, headers: bytes) -> list[str]:
    if not wish.extract_recipients:
        return list(wish.recipients)
    names = {field.name.lower() for field in header.parse_headers(headers)}
    chosen = RESENT_HEADERS if names & set(RESENT_HEADERS) else RECIPIENT_HEADERS
    values = [v.decode("utf-8", "replace") for name in chosen for v in header.iterate(headers, name)]
    left_out = {address.lower() for address in wish.recipients}
    found = [address for _, address in getaddresses(values) if address]
    return [address for address in dict.fromkeys(found) if address.lower() not in left_out]


def _qualified(addresses: list[str], domain: str) -> tuple[Recipient, ...]:
    if not addresses:
        raise Refused(
            "no recipients: name them on the command line, or use -t with To:, Cc: or Bcc: in the message"
        )
    made = []
    for address in addresses:
        full = address if "@" in address else f"{address}@{domain}"
        made.append(Recipient(_checked(full)))
    return tuple(made)


def _sender(wish: Submit, caller: Caller, policy: AcceptPolicy, own_address: str) -> str | None:
    if wish.sender is None:
        return own_address
    if wish.sender in ("", "<>"):
        return None
    if not caller.is_trusted:
        return own_address
    sender = wish.sender.strip("<>")
    full = sender if "@" in sender else f"{sender}@{policy.qualify_domain}"
    return _checked(full)


def _checked(address: str) -> str:
    try:
        return parse_mailbox(address, utf8=True)
    except BadSyntax as error:
        raise Refused(f"{address!r} is not a mail address: {error}") from error


async def _received(envelope: Envelope, policy: AcceptPolicy, services: AcceptServices) -> bytes:
    facts = MessageFacts(envelope.id, envelope.sender, envelope.received_at)
    if len(envelope.recipients) == 1:
        facts.received_for = envelope.recipients[0].address
    scope = Scope({Origin: envelope.origin, MessageFacts: facts}, services.expansion)
    text = await policy.received_header.expand(scope)
    return add_received(text, envelope.received_at) if text else b""
