"""A message from a program on this machine: `sendmail -t`, `sendmail user@host`, the offline folder (Exim chapters 5 and 48).

The caller is who the operating system says. Only trusted callers (root, the mail user, `trusted_users`) choose the envelope sender freely;
anybody may send with the null one.
"""

from __future__ import annotations

from email.utils import getaddresses
from typing import assert_never

import msgspec

from pillarbox.flow.accept.finish.header_changes import apply_changes, remove_delivery_fields
from pillarbox.flow.accept.finish.received import add_received
from pillarbox.flow.accept.finish.submission import add_missing, fix_up, show_sender
from pillarbox.flow.accept.policy import AcceptPolicy, AcceptServices
from pillarbox.flow.check.acl.finding import ChosenAcl
from pillarbox.flow.check.acl.program import Acl
from pillarbox.flow.check.acl.state import AclState
from pillarbox.flow.check.verdict import Accept, Defer, Deny, Discard, Drop
from pillarbox.flow.facts import MessageFacts
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope
from pillarbox.mail import header
from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.message import Message
from pillarbox.mail.progress import Frozen
from pillarbox.ports.spool import Queued, SpoolFull
from pillarbox.wire.control import Submit
from pillarbox.wire.exim.log_line import line_completed, line_frozen, line_received
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
    recipients = _qualified(_recipients(wish, message.headers), policy.qualify_recipient)
    own_address = f"{caller.login}@{policy.qualify_domain}"
    message_id = services.spool.new_id()
    facts = MessageFacts(message_id, _sender(wish, caller, policy, own_address), services.clock.now())
    facts.recipients_count = len(recipients)
    facts.received_for = recipients[0].address if len(recipients) == 1 else ""
    origin = Origin(protocol="local", ident=caller.login, caller_uid=caller.uid, caller_gid=caller.gid)
    scope = Scope({Origin: origin, MessageFacts: facts}, services.expansion)
    headers = _repaired(wish, message.headers, caller, policy, facts)
    message = Message(await _received(scope, facts, policy) + headers, message.body)
    facts.message, facts.size = message, message.size
    state = AclState("not_smtp", scope, origin, facts, services.checks)
    if policy.not_smtp_acl is not None:
        recipients = await _checked_by_acl(policy.not_smtp_acl, state, recipients, services)
        message = Message(apply_changes(message.headers, state.headers), message.body)
    envelope = Envelope(
        id=message_id,
        sender=facts.sender,
        recipients=recipients,
        origin=origin,
        received_at=facts.received_at,
        acl_variables=facts.acl_variables,
        tainted_variables=facts.tainted_variables,
    )
    if not recipients:
        services.journal.main(line_received(envelope, message))
        services.journal.main(f"{message_id} => blackhole (non-SMTP ACL discarded recipients)")
        services.journal.main(line_completed(message_id))
        return message_id
    queued = await services.spool.accept(envelope, message)
    services.journal.main(line_received(envelope, message))
    await _start(queued, state.controls, services, is_queue_only=wish.queue_only or policy.queue_only)
    return message_id


async def _start(
    queued: Queued, controls: dict[str, str], services: AcceptServices, *, is_queue_only: bool
) -> None:
    """It is ours already: a full spool here only means that it is delivered at once."""
    is_frozen = "freeze" in controls
    if is_frozen:
        services.spool.record(queued.id, [Frozen(queued.envelope.received_at)])
        services.journal.main(line_frozen(queued.id, "ACL"))
    if not (is_frozen or is_queue_only or "queue" in controls or "queue_only" in controls):
        services.deliver(queued)
        return
    try:
        await services.spool.park(queued.id)
    except SpoolFull as error:
        services.journal.panic(f"{queued.id} is accepted but cannot be queued: {error}")
        if not is_frozen:
            services.deliver(queued)


async def _checked_by_acl(
    acl: Acl | ChosenAcl, state: AclState, recipients: tuple[Recipient, ...], services: AcceptServices
) -> tuple[Recipient, ...]:
    """What `acl_not_smtp` leaves of them. Raises Refused."""
    verdict = await acl.run(state)
    match verdict:
        case Accept():
            return recipients
        case Discard():
            return ()
        case Deny(reason=reason) | Drop(reason=reason) | Defer(reason=reason):
            why = reason.log or reason.peer
            services.journal.main(
                f"{state.facts.id} U={state.connection.ident} F=<{state.facts.sender or ''}> "
                f"rejected by non-SMTP ACL{f': {why}' if why else ''}"
            )
            raise Refused(reason.peer or "Administrative prohibition")
        case _ as unreachable:
            assert_never(unreachable)


def _repaired(
    wish: Submit, headers: bytes, caller: Caller, policy: AcceptPolicy, facts: MessageFacts
) -> bytes:
    headers = remove_delivery_fields(headers)
    if wish.extract_recipients:
        headers = header.remove(headers, frozenset({"bcc", "resent-bcc"}))
    own_address = f"{caller.login}@{policy.qualify_domain}"
    header_id = f"E{facts.id}@{policy.primary_hostname}"
    if caller.is_trusted:
        shown = show_sender(wish.full_name, facts.sender or own_address)
        return add_missing(headers, shown, header_id, facts.received_at)
    return fix_up(
        headers,
        f"name={wish.full_name}" if wish.full_name else "",
        sender=None,
        authenticated_id=own_address,
        qualify_domain=policy.qualify_domain,
        message_id=header_id,
        now=facts.received_at,
    ).headers


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


async def _received(scope: Scope, facts: MessageFacts, policy: AcceptPolicy) -> bytes:
    try:
        text = await policy.received_header.expand(scope)
    except (ExpansionFailed, ExpansionDeferred) as error:
        raise Refused(f"received_header_text: {error}") from error
    return add_received(text, facts.received_at) if text else b""
