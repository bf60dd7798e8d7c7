"""A message from a program on this machine: `sendmail -t`, `sendmail user@host`, the offline folder (Exim chapters 5 and 48).

The caller is who the operating system says. Only trusted callers (root, the mail user, `trusted_users`) choose the envelope sender freely;
anybody may send with the null one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

import msgspec

from pillarbox.flow.accept.finish.header_changes import apply_changes
from pillarbox.flow.accept.finish.qualifying import qualify_headers
from pillarbox.flow.accept.finish.received import add_received
from pillarbox.flow.accept.finish.rewriting import rewrite_message
from pillarbox.flow.accept.finish.submission import complete_own_from, fix_local
from pillarbox.flow.accept.from_lines import BEGINNING, without_from_lines
from pillarbox.flow.accept.local.caller import Caller
from pillarbox.flow.accept.local.checks import NO_ACLS, Checked, Rejected, check, run_start
from pillarbox.flow.accept.policy import AcceptPolicy, AcceptServices
from pillarbox.flow.accept.rejection import in_lines
from pillarbox.flow.accept.wait_rules import AT_ONCE, LOCAL_ONLY
from pillarbox.flow.accept.waiting import begin, start_of
from pillarbox.flow.check.acl.state import AclState
from pillarbox.flow.connection_id import new_connection_id
from pillarbox.flow.facts import MessageFacts
from pillarbox.language.addresses import AddressError, address_items, working_address
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope
from pillarbox.mail import header
from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.message import MemoryBody, Message
from pillarbox.mail.progress import Settled
from pillarbox.wire.control import Submit
from pillarbox.wire.exim.log_line import Arrival, line_completed, line_received

__all__ = ["Caller", "Refused", "origin_of", "received_lines", "split_port", "submit"]
RECIPIENT_HEADERS = ("to", "cc", "bcc")
BATCH = "local-bsmtp"
"""`$received_protocol` of what came by `-bS`."""
BY_ACL = "exim: message rejected by non-SMTP ACL: "
BLIND_HEADERS = frozenset({"bcc", "resent-bcc"})
_BRACKETED = re.compile(r"\[([^]]*)\]:(\d{1,5})")
_DOTTED = re.compile(r"(\d+\.\d+\.\d+\.\d+|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*?)\.(\d{1,5})")
Kind = Literal["argument", "headers", "none", "policy", "size", "space"]
"""A recipient that the caller named is no address; no header line has a good one; there is none at all; the message may not be sent; it is too
large; there is no room for it."""
RESENT_HEADERS = ("resent-to", "resent-cc", "resent-bcc")


class Refused(Exception):
    """The message is not taken; `str()` says why, for the caller's eyes. What it says in a mail to its sender: see `complaint`."""

    def __init__(
        self,
        text: str,
        *,
        kind: Kind = "policy",
        bad: tuple[tuple[str, str], ...] = (),
        message: Message | None = None,
        message_id: str = "",
        is_taken: bool = False,
    ) -> None:
        """`is_taken`: only some recipients are refused, and the message is on its way to the others."""
        super().__init__(text)
        self.is_taken = is_taken
        self.kind = kind
        self.log = ""
        """What was logged of it, where Exim says that on standard error too."""
        self.why = text.removeprefix(BY_ACL)
        self.bad = bad
        """Addresses and what is wrong with them."""
        self.message = message
        """As it came, with the header lines it would have had where there is an id."""
        self.message_id = message_id


async def submit(
    wish: Submit, data: bytes, caller: Caller, policy: AcceptPolicy, services: AcceptServices
) -> str:
    """Take the message in and start its delivery; its id. Durable on return. Raises Refused, SpoolFull."""
    if policy.space is not None and (short := policy.space.shortage()):
        services.journal.main(short)
        raise Refused("exim: insufficient disk space", kind="space")
    origin = msgspec.structs.replace(origin_of(wish, caller), connection_id=new_connection_id())
    wish, data = await _without_from_lines(wish, data, caller, policy, services)
    message = Message.parse(data)
    _check_size(data, wish, caller, message, policy, services)
    bad: tuple[tuple[str, str], ...] = ()
    left_out: frozenset[str] = frozenset()
    if not wish.extract_recipients:
        recipients = _arguments(wish, message, policy.qualify_recipient)
    own_address = f"{caller.login}@{policy.qualify_domain}"
    message_id = services.spool.new_id()
    facts = MessageFacts("", own_address, services.clock.now())
    scope = Scope({Origin: origin, MessageFacts: facts}, services.expansion)
    facts.sender = await _sender(wish, caller, policy, own_address, scope)
    facts.auth_sender = _auth_sender(wish, caller, own_address)
    state = AclState("not_smtp", scope, origin, facts, services.checks)
    if policy.local_acls.start is not None:
        await run_start(policy.local_acls.start, state)
    facts.id = message_id
    own_id = await policy.repairs.message_id(message_id, policy.primary_hostname, scope, services.journal)

    def complain(text: str) -> None:
        services.journal.main(f"{message_id} {text}")

    headers = _repaired(
        wish,
        message.headers,
        caller,
        policy,
        facts,
        own_id,
        complain,
        is_left_alone="suppress_local_fixups" in state.controls,
    )
    if wish.extract_recipients:
        recipients, bad, left_out = _extracted(
            wish, Message(headers, message.body), message, facts, policy, services
        )
        headers = header.remove(headers, BLIND_HEADERS)
    facts.message = Message(headers, message.body)
    if policy.rewriting is not None:
        rewritten = await rewrite_message(
            policy.rewriting,
            scope,
            facts.sender,
            recipients,
            headers,
        )
        facts.sender, headers = rewritten.sender, rewritten.headers
        recipients = tuple(rewritten.recipients)
    try:
        message = await _traced(wish, recipients, Message(headers, message.body), facts, policy, scope)
    except Refused as error:
        services.journal.panic(str(error))
        raise
    checked = Checked(recipients)
    if policy.local_acls is not NO_ACLS:
        checked = await _checked(policy, state, message, recipients)
        recipients = checked.recipients
        message = Message(apply_changes(message.headers, state.headers), message.body)
    envelope = Envelope(
        id=message_id,
        sender=facts.sender,
        recipients=_noted(recipients, wish.notify),
        origin=origin,
        received_at=facts.received_at,
        auth_sender=facts.auth_sender,
        acl_variables=facts.acl_variables,
        tainted_variables=facts.tainted_variables,
        ret=wish.ret,
        envid=wish.envid,
        is_dry=wish.is_dry,
        queue=state.memory.connection.queue,
    )
    reference = wish.about.get("m", "") if caller.is_trusted else ""
    if not recipients:
        _log_discarded(wish, envelope, message, checked, services)
        return message_id
    queued = await services.spool.accept(envelope, message)
    if left_out:
        services.spool.record(queued.id, [Settled(each, facts.received_at) for each in left_out])
    written = Arrival(
        written_sender=facts.written_sender,
        written_recipients=facts.written_recipients,
        elapsed=services.clock.now() - facts.received_at,
    )
    style = services.log_style
    services.journal.main(line_received(envelope, message, reference=reference, style=style, arrival=written))
    start = start_of(state.controls, policy, is_queue_only=wish.queue_only)
    if wish.queue_smtp and start is AT_ONCE:
        start = LOCAL_ONLY
    await begin(queued, state.controls, start, services)
    if bad:
        raise _bad_headers(bad, facts, Message(headers, message.body), is_taken=True)
    return message_id


def _noted(recipients: tuple[Recipient, ...], notify: tuple[str, ...]) -> tuple[Recipient, ...]:
    """What the caller wants to hear of each (`-oDSN N=…`)."""
    if not notify:
        return recipients
    return tuple(msgspec.structs.replace(one, notify=notify) for one in recipients)


def _log_discarded(
    wish: Submit, envelope: Envelope, message: Message, checked: Checked, services: AcceptServices
) -> None:
    services.journal.main(line_received(envelope, message, style=services.log_style))
    if wish.recipients and not wish.extract_recipients:
        why = f": {checked.why}" if checked.why else ""
        services.journal.main(
            f"{envelope.id} => blackhole ({checked.discarded_by} ACL discarded recipients){why}"
        )
    services.journal.main(line_completed(envelope.id))


async def _traced(
    wish: Submit,
    recipients: tuple[Recipient, ...],
    message: Message,
    facts: MessageFacts,
    policy: AcceptPolicy,
    scope: Scope,
) -> Message:
    """The message with its Received: line, which tells of the envelope as rewriting has left it."""
    others = facts.recipients_count if wish.extract_recipients else len(wish.recipients) - 1
    is_only = len(recipients) == 1 and not others
    facts.recipients, facts.recipients_count = recipients, len(recipients)
    facts.received_for = recipients[0].address if is_only else ""
    traced = Message(await received_lines(scope, facts, policy) + message.headers, message.body)
    facts.message, facts.size, facts.received_for = traced, message.size, ""  # as ACLs see it
    return traced


def _check_size(
    data: bytes,
    wish: Submit,
    caller: Caller,
    message: Message,
    policy: AcceptPolicy,
    services: AcceptServices,
) -> None:
    """`message_size_limit`. Raises Refused."""
    limit = policy.engine.offer.size
    if not limit or len(data) <= limit:
        return
    sender = wish.sender or f"{caller.login}@{policy.qualify_domain}"
    line = f"rejected from <{sender}> U={caller.login}: message too big: read={limit + 1} max={limit}"
    if services.log_style.shows("size_reject"):
        line = f"{services.spool.new_id()} {line}"
        services.journal.main(line)
        services.journal.reject(line)
    raise Refused(
        f"exim: message rejected: message too big (max={limit})",
        kind="size",
        message=Message(message.headers, MemoryBody(b"")),
    )


async def _checked(
    policy: AcceptPolicy, state: AclState, message: Message, recipients: tuple[Recipient, ...]
) -> Checked:
    """Raises Refused."""
    try:
        return await check(policy.local_acls, state, message, recipients)
    except Rejected as rejected:
        raise Refused(
            f"{BY_ACL}{in_lines(str(rejected)) or 'local configuration problem'}",
            message=state.facts.message,
            message_id=state.facts.id,
        ) from None


def _repaired(
    wish: Submit,
    headers: bytes,
    caller: Caller,
    policy: AcceptPolicy,
    facts: MessageFacts,
    own_id: str,
    complain: Callable[[str], None],
    *,
    is_left_alone: bool,
) -> bytes:
    """`is_left_alone`: an ACL says so (`control = suppress_local_fixups`). `complain` gets what is wrong with addresses in them."""
    headers = policy.repairs.clean(headers)
    full_name = wish.full_name or ("" if _chooses_sender(wish, caller) else caller.full_name)
    is_left_alone = is_left_alone or (
        caller.is_trusted and (wish.suppresses_fixups or bool(wish.about.get("a")))
    )
    if not is_left_alone:
        headers = complete_own_from(headers, caller.login, full_name, policy.qualify_domain)
    if not wish.keeps_unqualified:
        headers = qualify_headers(headers, policy.qualify_domain, policy.qualify_recipient, complain)
    if is_left_alone:
        return headers
    return fix_local(
        headers,
        caller,
        policy.local_senders,
        sender=facts.sender,
        qualify_domain=policy.qualify_domain,
        message_id=own_id,
        now=facts.received_at,
        full_name=full_name,
    )


async def _without_from_lines(
    wish: Submit, data: bytes, caller: Caller, policy: AcceptPolicy, services: AcceptServices
) -> tuple[Submit, bytes]:
    """A trusted caller's `From ` line names the sender, unless `-f` did. Batches are as other sessions: they need `ignore_fromline_local`."""
    rules = policy.from_lines
    if rules is None or not data.startswith(BEGINNING) or (is_batch(wish) and not rules.are_local):
        return wish, data
    data, sender = await without_from_lines(
        data, rules, services.expansion, services.journal, domain=policy.qualify_domain
    )
    if sender is not None and (wish.sender is None or is_batch(wish)) and caller.is_trusted:
        wish = msgspec.structs.replace(wish, sender=sender)
    return wish, data


def _arguments(wish: Submit, message: Message, domain: str) -> tuple[Recipient, ...]:
    """Recipients named by the caller; the first bad one is refused, and with it the message."""
    if not wish.recipients:
        raise Refused("exim: no recipients in message", kind="none", message=message)
    made = []
    for address in wish.recipients:
        try:
            made.append(_recipient(address, "" if wish.keeps_unqualified else domain))
        except AddressError as error:
            raise Refused(
                f'exim: bad recipient address "{address}": {error}',
                kind="argument",
                bad=((address, str(error)),),
                message=message,
            ) from error
    return tuple(dict.fromkeys(made))


def _recipient(text: str, domain: str) -> Recipient:
    """Raises AddressError. `domain`: for an address without one; empty: it is refused."""
    working = working_address(text)
    if working.domain_at:
        return Recipient(working.address)
    if not domain:
        raise AddressError("unqualified recipient address not allowed")
    return Recipient(f"{working.address}@{domain}")


def _extracted(
    wish: Submit,
    repaired: Message,
    original: Message,
    facts: MessageFacts,
    policy: AcceptPolicy,
    services: AcceptServices,
) -> tuple[tuple[Recipient, ...], tuple[tuple[str, str], ...], frozenset[str]]:
    """`-t`: those of the headers, without those named by the caller; the bad ones with what is wrong with them: they do no harm while
    there are good ones and their sender hears of them by mail; and those that the caller named, who must not get it by an alias either."""
    domain = policy.qualify_recipient
    named = _arguments(wish, original, domain) if wish.recipients else ()
    leaves_out = policy.local_senders.arguments_are_left_out
    left_out = frozenset(each.address for each in named) if leaves_out else frozenset()
    good = [] if leaves_out else list(named)
    bad: list[tuple[str, str]] = []
    for text, rest in _listed(original.headers):
        try:
            found = _recipient(text, domain)
        except AddressError as error:
            bad.append((rest, str(error)))
            continue
        if found.address not in left_out:
            good.append(found)
        elif "@" not in text:  # Exim counts it until it has its domain
            facts.recipients_count += 1
    if bad:
        services.journal.panic(f"{facts.id} bad addresses found in headers")
        if not good or wish.errors in ("p", "q"):
            raise _bad_headers(tuple(bad), facts, repaired)
    elif not good:
        services.journal.panic(f"{facts.id} no recipients found in headers")
        refused = Refused(
            "exim: no recipients in message", kind="none", message=repaired, message_id=facts.id
        )
        refused.log = f"{facts.id} no recipients found in headers"
        raise refused
    return tuple(good), tuple(bad), left_out


def _bad_headers(
    bad: tuple[tuple[str, str], ...], facts: MessageFacts, message: Message, *, is_taken: bool = False
) -> Refused:
    one = f"exim: invalid address:  {bad[0][0]}: {bad[0][1]}"
    many = "exim: invalid addresses:" + "".join(f"\n  {text}: {why}" for text, why in bad)
    refused = Refused(
        one if len(bad) == 1 else many,
        kind="headers",
        bad=bad,
        message=message,
        message_id=facts.id,
        is_taken=is_taken,
    )
    refused.log = f"{facts.id} bad addresses found in headers"
    return refused


def _listed(headers: bytes) -> list[tuple[str, str]]:
    """What stands in the header lines of recipients: each address, and all from there to the end of its line, which complaints show."""
    names = {field.name.lower() for field in header.parse_headers(headers)}
    is_resent = any(name.startswith("resent-") for name in names)
    chosen = RESENT_HEADERS if is_resent else RECIPIENT_HEADERS
    values = [v.decode("utf-8", "surrogateescape") for name in chosen for v in header.iterate(headers, name)]
    return [
        (item.text.strip(), value[item.start :].strip())
        for value in values
        for item in address_items(value)
        if item.text.strip()
    ]


def is_batch(wish: Submit) -> bool:
    """It came by `-bS`."""
    return wish.about.get("r") == BATCH


def origin_of(wish: Submit, caller: Caller) -> Origin:
    """Where it comes from: the caller, or what a trusted one says (`-oM…`)."""
    about = wish.about if caller.is_trusted else {}
    if is_batch(wish) and not caller.is_trusted:
        about = {"r": BATCH, "helo": wish.about.get("helo", "")}
    address, port = split_port(about.get("a", ""))
    interface, interface_port = split_port(about.get("i", ""))
    return Origin(
        protocol=about.get("r", "local"),
        host_address=address,
        host_port=port,
        host_name=about.get("s", ""),
        helo=about.get("helo", ""),
        interface_address=interface,
        interface_port=interface_port,
        authenticator=about.get("aa", ""),
        authenticated_id=about.get("ai", "" if _chooses_sender(wish, caller) else caller.login),
        ident=about.get("t", caller.login),
        caller_uid=caller.uid,
        caller_gid=caller.gid,
    )


def _auth_sender(wish: Submit, caller: Caller, own_address: str) -> str:
    """Who vouches for the message: what a trusted caller says (`-oMas`), or the caller, who is the sender."""
    told = wish.about.get("as", "") if caller.is_trusted else ""
    if told:
        return told
    return "" if _chooses_sender(wish, caller) or is_batch(wish) else own_address


def _chooses_sender(wish: Submit, caller: Caller) -> bool:
    """`-f` of a trusted caller: the caller's name and login have nothing to do with it."""
    return wish.sender is not None and caller.is_trusted


def split_port(text: str) -> tuple[str, int]:
    """`10.9.8.7.1234` and `[10.9.8.7]:1234`: address and port, 0 without one (Exim 5, -oMa)."""
    found = _BRACKETED.fullmatch(text) or _DOTTED.fullmatch(text)
    return (found[1], int(found[2])) if found else (text.strip("[]"), 0)


async def _sender(
    wish: Submit, caller: Caller, policy: AcceptPolicy, own_address: str, scope: Scope
) -> str | None:
    if wish.sender is None:
        return own_address
    if wish.sender in ("", "<>") and (caller.is_trusted or not is_batch(wish)):
        return None
    may_be_set = policy.local_senders.may_be_set
    if not caller.is_trusted and may_be_set is None:
        return own_address
    try:
        found = working_address(wish.sender, utf8_domain=True)
    except AddressError as error:
        raise Refused(f'exim: bad -f address "{wish.sender}": {error}') from error
    sender = found.address if found.domain_at else f"{found.address}@{policy.qualify_domain}"
    if caller.is_trusted or may_be_set is None or await may_be_set.matches(sender, scope):
        return sender
    return own_address


async def received_lines(scope: Scope, facts: MessageFacts, policy: AcceptPolicy) -> bytes:
    """The Received: line of a message. Raises Refused."""
    try:
        text = await policy.received_header.expand(scope)
    except (ExpansionFailed, ExpansionDeferred) as error:
        source = policy.received_header.source
        line = f'Expansion of "{source}" (received_header_text) failed: {error}'
        raise Refused(f"{facts.id} {line}" if facts.id else line) from error
    return add_received(text, facts.received_at) if text else b""
