"""A message from a program on this machine: `sendmail -t`, `sendmail user@host`, the offline folder (Exim chapters 5 and 48).

The caller is who the operating system says. Only trusted callers (root, the mail user, `trusted_users`) choose the envelope sender freely;
anybody may send with the null one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from pillarbox.config.kinds import parse_integer
from pillarbox.flow.accept.active_hostname import active_hostname, failure
from pillarbox.flow.accept.finish.header_changes import apply_changes
from pillarbox.flow.accept.finish.qualifying import qualify_headers
from pillarbox.flow.accept.finish.received import add_received
from pillarbox.flow.accept.finish.rewriting import rewrite_message
from pillarbox.flow.accept.finish.submission import complete_own_from, fix_local
from pillarbox.flow.accept.from_lines import BEGINNING, without_from_lines
from pillarbox.flow.accept.local.caller import Caller
from pillarbox.flow.accept.local.checks import NO_ACLS, Rejected, check, run_start
from pillarbox.flow.accept.local.header_limits import check_header
from pillarbox.flow.accept.local.named import (
    Named,
    arguments,
    as_written,
    bad_headers,
    extracted,
    good_in_headers,
)
from pillarbox.flow.accept.local.origin import (
    auth_sender,
    chooses_sender,
    is_batch,
    origin_of,
    sender_of,
)
from pillarbox.flow.accept.local.refused import BY_ACL, Refused
from pillarbox.flow.accept.local.submission import Submission
from pillarbox.flow.accept.policy import AcceptPolicy, AcceptServices
from pillarbox.flow.accept.rejection import in_lines, rejected_message
from pillarbox.flow.accept.wait_rules import AT_ONCE, LOCAL_ONLY
from pillarbox.flow.accept.waiting import begin, start_of
from pillarbox.flow.connection_id import new_connection_id
from pillarbox.flow.facts import MessageFacts
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.language.match.local_host import LocalHost
from pillarbox.mail import header
from pillarbox.mail.arrival import Arrival
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.message import MemoryBody, Message
from pillarbox.mail.progress import Settled
from pillarbox.wire.control import Submit
from pillarbox.wire.exim.log_line import line_completed, line_received

Tell = Callable[[Refused], Awaitable[object]]
BLIND_HEADERS = frozenset({"bcc", "resent-bcc"})


async def submit(
    wish: Submit,
    data: bytes,
    caller: Caller,
    policy: AcceptPolicy,
    services: AcceptServices,
    carried: dict[str, str] | None = None,
    tell: Tell | None = None,
) -> str:
    """Take the message in and start its delivery; its id. Durable on return. Raises Refused, SpoolFull. `carried`: `acl_c…` from one message
    of a batch to the next; `tell`: who lets the sender know of bad addresses that stood beside good ones."""
    if policy.space is not None and (short := policy.space.shortage()):
        services.journal.main(short)
        raise Refused("exim: insufficient disk space", kind="space")
    origin = msgspec.structs.replace(origin_of(wish, caller), connection_id=new_connection_id())
    asked = wish
    wish, data = await _without_from_lines(wish, data, caller, policy, services)
    one = Submission(wish, caller, policy, services, origin)
    if policy.habits.active_hostname is not None:
        await _take_name(one, policy.habits.active_hostname)
    one.message = one.facts.taken = Message.parse(data)
    one.facts.size = len(data)
    check_header(one.message.headers, policy, caller.login, services.journal)
    if carried:
        one.facts.variables = dict(carried)
    if not wish.extract_recipients:
        one.named = Named(arguments(wish, one.message, policy))
    await _begin(one, asked)
    limit = await _size_limit(one)
    if limit and len(data) > limit:
        raise await _too_big(one, len(data), limit)
    await _repair(one)
    await _rewrite(one)
    await _trace(one)
    if one.named.bad and tell is not None:
        await tell(bad_headers(one.named.bad, one.facts, one.shown(one.without_trace), is_taken=True))
    await _ask_acls(one)
    if carried is not None:
        carried.update(
            (name, value) for name, value in one.facts.variables.items() if name.startswith("acl_c")
        )
    return await _keep(one)


async def _size_limit(one: Submission) -> int:
    """`message_size_limit`, for this message."""
    policy = one.policy
    if policy.habits.size_limit is None:
        return policy.engine.offer.size or 0
    try:
        return parse_integer((await policy.habits.size_limit.expand(one.scope)).strip() or "0")
    except (ExpansionDeferred, ExpansionFailed, ValueError) as error:
        one.services.journal.panic(f"unable to expand message_size_limit: {error}")
        return 0


async def _take_name(one: Submission, template: Template) -> None:
    """`smtp_active_hostname`: the message keeps it for its delivery. Raises Refused."""
    try:
        name = await active_hostname(template, one.scope)
    except (ExpansionFailed, ExpansionDeferred) as error:
        line = failure(template, error)
        one.services.journal.panic(line)
        raise Refused(line, kind="configuration") from error
    known = one.services.expansion.facts.get(LocalHost)
    if name and isinstance(known, LocalHost):
        one.called(msgspec.structs.replace(known, active_hostname=name))


async def _begin(one: Submission, asked: Submit) -> None:
    """The id, the sender, and `acl_not_smtp_start`. `asked`: without regard to `From ` lines."""
    one.id = one.services.spool.new_id()
    own_address = f"{one.caller.login}@{one.policy.qualify_domain}"
    if asked is not one.wish:
        one.facts.keep_written(await sender_of(asked, one.caller, one.policy, own_address, one.scope))
    one.facts.sender = await sender_of(one.wish, one.caller, one.policy, own_address, one.scope)
    one.is_sender_untrusted = one.facts.sender != own_address and not one.caller.is_trusted
    one.facts.auth_sender = auth_sender(one.wish, one.caller, own_address)
    if one.policy.local_acls.start is not None:
        await run_start(one.policy.local_acls.start, one.state)
    one.facts.id = one.id


async def _repair(one: Submission) -> None:
    """Header lines as they should be; with `-t` they name the recipients."""
    policy, original = one.policy, one.message
    one.with_headers(_repaired(one, await _own_id(one)))
    if one.wish.extract_recipients:
        one.named = extracted(one.wish, one.shown(one.message), original, one.facts, policy, one.services)
        one.with_headers(header.remove(one.message.headers, BLIND_HEADERS))
    one.recipients = one.named.recipients
    one.facts.message = one.message


async def _rewrite(one: Submission) -> None:
    if one.policy.rewriting is None:
        return
    facts = one.facts
    rewritten = await rewrite_message(
        one.policy.rewriting, one.scope, facts.sender, one.recipients, one.message.headers
    )
    facts.sender = rewritten.sender
    one.with_headers(rewritten.headers)
    one.recipients = tuple(rewritten.recipients)


async def _trace(one: Submission) -> None:
    """The Received: line tells of the envelope as rewriting has left it."""
    facts, recipients, wish = one.facts, one.recipients, one.wish
    others = 0 if wish.extract_recipients else len(wish.recipients) - 1
    is_only = len(recipients) == 1 and not others
    facts.recipients, facts.recipients_count = recipients, len(recipients)
    facts.received_for = recipients[0].address if is_only else ""
    one.without_trace = one.message
    try:
        received = await received_lines(one.scope, facts, one.policy)
    except Refused as error:
        one.services.journal.panic(str(error))
        raise
    one.with_headers(received + one.message.headers)
    facts.message, facts.received_for = one.message, ""  # as ACLs see it


async def _ask_acls(one: Submission) -> None:
    """Raises Refused."""
    if one.policy.local_acls is NO_ACLS:
        return
    try:
        checked = await check(one.policy.local_acls, one.state, one.message, one.recipients)
    except Rejected as rejected:
        raise Refused(
            f"{BY_ACL}{in_lines(str(rejected)) or 'local configuration problem'}",
            message=one.facts.message,
            message_id=one.id,
        ) from None
    one.recipients = checked.recipients
    one.discarded_by, one.discard_text = checked.discarded_by, checked.why
    one.with_headers(apply_changes(one.message.headers, one.state.headers))


async def _keep(one: Submission) -> str:
    """The id. Raises SpoolFull."""
    wish, facts, services = one.wish, one.facts, one.services
    envelope = one.envelope()
    if not one.recipients:
        _log_discarded(one, envelope)
        if one.discarded_by and not is_batch(wish):
            raise Refused("", kind="discarded")
        return one.id
    queued = await services.spool.accept(envelope, one.message)
    if one.named.left_out:
        settled = [Settled(each, facts.received_at) for each in one.named.left_out]
        services.spool.record(queued.id, settled)
        queued = msgspec.structs.replace(queued, progress=queued.progress.after(settled))
    arrival = _log_received(one, envelope)
    if not services.log_style.is_default or arrival.reference:
        queued = msgspec.structs.replace(queued, arrival=arrival)
    controls = one.state.controls
    start = start_of(controls, one.policy, is_queue_only=wish.queue_only, received=wish.number)
    if wish.queue_smtp and start is AT_ONCE:
        start = LOCAL_ONLY
    await begin(queued, controls, start, services)
    return one.id


def _log_received(one: Submission, envelope: Envelope) -> Arrival:
    facts, services, style = one.facts, one.services, one.services.log_style
    recipients: tuple[str, ...] = ()
    if not style.is_default and style.shows("received_recipients") and facts.taken is not None:
        recipients = as_written(one.wish, facts.taken, one.named.left_out, one.policy)
    written = Arrival(
        written_sender=facts.written_sender,
        written_recipients=recipients,
        recipients=() if envelope.recipients else tuple(one.named.recipients),
        reference=one.wish.reference,
        elapsed=services.clock.now() - facts.received_at,
    )
    line = line_received(envelope, one.message, style=style, arrival=written)
    services.journal.main(line)
    return written


def _log_discarded(one: Submission, envelope: Envelope) -> None:
    journal = one.services.journal
    _log_received(one, envelope)
    if one.discarded_by:
        why = f": {one.discard_text}" if one.discard_text else ""
        journal.main(f"{one.id} => blackhole ({one.discarded_by} ACL discarded recipients){why}")
    journal.main(line_completed(one.id))


async def _too_big(one: Submission, size: int, limit: int) -> Refused:
    """`message_size_limit`. A message of a batch is read to its end before."""
    wish, policy, services = one.wish, one.policy, one.services
    if services.log_style.shows("size_reject"):
        recipients = (
            good_in_headers(one.message.headers, policy) if wish.extract_recipients else one.named.recipients
        )
        headers = _repaired(one, await _own_id(one))
        read = size if is_batch(wish) else limit + 1
        who = f"<{one.facts.sender or ''}> U={one.caller.login}"
        line = f"{one.id} rejected from {who}: message too big: read={read} max={limit}"
        more = rejected_message(services.log_style, one.facts.sender, recipients, headers)
        services.journal.main(line)
        services.journal.reject(f"{line}\n{more}" if more else line)
    return Refused(
        f"exim: message rejected: message too big (max={limit})",
        kind="size",
        message=Message(one.message.headers, MemoryBody(b"")),
        cause=f"message too big (limit set to {limit})",
    )


async def _own_id(one: Submission) -> str:
    return await one.policy.message_id(one.id, one.scope, one.services.journal)


def _repaired(one: Submission, own_id: str) -> bytes:
    wish, caller, policy = one.wish, one.caller, one.policy
    headers = policy.repairs.clean(one.message.headers)
    full_name = wish.full_name
    if full_name is None:
        full_name = "" if chooses_sender(wish, caller) else caller.full_name
    is_left_alone = "suppress_local_fixups" in one.state.controls or (
        caller.is_trusted and (wish.suppresses_fixups or bool(wish.about.get("a")))
    )
    if not is_left_alone:
        headers = complete_own_from(headers, caller.login, full_name, policy.qualify_domain)
    if not wish.keeps_unqualified:
        headers = qualify_headers(headers, policy.qualify_domain, policy.qualify_recipient, one.complain)
    if is_left_alone:
        return headers
    return fix_local(
        headers,
        caller,
        policy.local_senders,
        sender=one.facts.sender,
        qualify_domain=policy.qualify_domain,
        message_id=own_id,
        now=one.facts.received_at,
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


async def received_lines(scope: Scope, facts: MessageFacts, policy: AcceptPolicy) -> bytes:
    """The Received: line of a message. Raises Refused."""
    try:
        text = await policy.received_header.expand(scope)
    except (ExpansionFailed, ExpansionDeferred) as error:
        source = policy.received_header.source
        line = f'Expansion of "{source}" (received_header_text) failed: {error}'
        raise Refused(f"{facts.id} {line}" if facts.id else line, kind="configuration") from error
    return add_received(text, facts.received_at) if text else b""
