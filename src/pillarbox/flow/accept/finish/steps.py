"""The end of the data, in steps. The first step that gives a reply ends it; the last one always does.

What is accepted is durable before the 250 goes out, and its first delivery starts behind it. Headers that ACLs up to `predata` added are
there for the `data` ACL to see; what that one adds comes behind (Exim 44.15).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.flow.accept.finish.header_changes import apply_changes, renames
from pillarbox.flow.accept.finish.qualifying import qualify_headers, tell_malformed
from pillarbox.flow.accept.finish.received import add_received
from pillarbox.flow.accept.finish.rewriting import rewrite_message
from pillarbox.flow.accept.finish.signatures import verify_signatures
from pillarbox.flow.accept.finish.state import Finish
from pillarbox.flow.accept.finish.submission import fix_local, fix_up
from pillarbox.flow.accept.finish.taking import discard, fix_envelope, keep, pass_on
from pillarbox.flow.accept.finish.verdicts import (
    ask_for_each,
    let_be_logged,
    log_refusal,
    run_data_acl,
    run_dkim_acl,
    run_mime_acl,
)
from pillarbox.flow.accept.membership import is_surely_in
from pillarbox.flow.accept.passing import is_being_passed
from pillarbox.flow.accept.policy import AcceptPolicy, Step, Where
from pillarbox.flow.accept.transaction import Transaction
from pillarbox.flow.check.scan.leftovers import forget_files
from pillarbox.flow.loops import LOOPING, hops_of
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.rewrite.fields import may_be_malformed
from pillarbox.mail import header
from pillarbox.mail.message import Message
from pillarbox.mail.reply import Reply
from pillarbox.wire.exim.log_line import printable

if TYPE_CHECKING:
    from pillarbox.flow.accept.session import Session

TROUBLE = Reply(451, "Temporary local problem - please try later", "4.3.0")
OVERLONG = Reply(552, "A message header line is too long", "5.3.4")
LOOP = Reply(550, LOOPING, "5.4.6")


async def finish_message(session: Session, transaction: Transaction, message: Message) -> Reply:
    """The reply; with LMTP it is that of every recipient (RFC 2033 §4.2). Raises SpoolFull."""
    state = Finish(session, transaction, message)
    facts = transaction.facts
    facts.id = state.id
    facts.message = facts.taken = message
    facts.size = message.size
    session.live.take(message)
    try:
        for step in session.policy.steps or STEPS:
            reply = await step(state)
            if reply is not None:
                return reply
    finally:
        if "mime" in session.policy.acls:
            await forget_files(state.id, transaction.memory, transaction.scope, transaction.controls)
    raise AssertionError("the last step gives a reply")


async def refuse_long_header_lines(state: Finish) -> Reply | None:
    """`header_line_maxsize`."""
    limit = state.session.policy.header_line_max
    if not limit or all(len(field.raw) <= limit for field in header.parse_headers(state.headers)):
        return None
    state.session.services.journal.main(
        f"overlong message header line received from {state.session.who()} "
        f"(more than {limit} characters): message abandoned"
    )
    return OVERLONG


async def look_at_headers(state: Finish) -> Reply | None:
    """As they came: loops are refused, DKIM signatures verified."""
    lowered = state.headers.lower()
    if hops_of(lowered) <= state.session.policy.received_headers_max:
        if b"dkim-signature:" in lowered:
            await verify_signatures(state)
        return None
    host = state.session.described()
    log_refusal(state, f"{host} F=<{state.sender or ''}> rejected after DATA: {LOOP.text}")
    return LOOP


async def clean(state: Finish) -> Reply | None:
    """The submission's own repairs, and no fields of an earlier final delivery."""
    session, policy = state.session, state.session.policy
    headers = policy.repairs.clean(state.headers)
    local, controls = session.local, state.transaction.controls
    if local is None and may_be_malformed(headers):
        tell_malformed(headers, lambda text: session.services.journal.main(f"{state.id} {text}"))
    is_left_alone = "suppress_local_fixups" in controls or (local is not None and local.suppresses_fixups)
    options = None if is_left_alone or local is not None else controls.get("submission")
    if local is not None:
        headers = qualify_headers(headers, policy.qualify_domain, policy.qualify_recipient)
        if not is_left_alone:
            headers = fix_local(
                headers,
                local,
                policy.local_senders,
                sender=state.sender,
                qualify_domain=policy.qualify_domain,
                message_id=await _own_message_id(state),
                now=state.received_at,
                full_name="" if local.is_trusted else local.full_name,
            )
    elif options is None:
        headers = await _qualified_for_client(state, headers)
    else:
        origin = session.origin
        fixed = fix_up(
            headers,
            options,
            sender=state.sender,
            authenticated_id=origin.authenticated_id,
            qualify_domain=policy.qualify_domain,
            message_id=await _own_message_id(state),
            now=state.received_at,
            checks_from=policy.local_senders.checks_from,
        )
        _take_true_sender(state, fixed.sender)
        headers = fixed.headers
    if headers is not state.headers:
        state.with_headers(headers)
    return None


def _take_true_sender(state: Finish, sender: str | None) -> None:
    """Of submission mode."""
    if sender == state.sender:
        return
    session, facts = state.session, state.transaction.facts
    facts.keep_written(state.sender)
    if session.services.log_style.shows("address_rewrite"):
        change = f'"{printable(state.sender or "")}" from env-from rewritten as "{printable(sender or "")}"'
        session.services.journal.main(f"{state.id} {change} by submission mode")
    state.sender = facts.sender = sender


async def _own_message_id(state: Finish) -> str:
    session = state.session
    return await session.policy.message_id(state.id, state.transaction.scope, session.services.journal)


async def _qualified_for_client(state: Finish, headers: bytes) -> bytes:
    """Hosts that may leave domains out in the envelope may do so in header lines."""
    session, policy = state.session, state.session.policy
    senders, recipients = policy.sender_unqualified_hosts, policy.recipient_unqualified_hosts
    if senders is None and recipients is None:
        return headers
    sender_domain = policy.qualify_domain if senders and await is_surely_in(session, senders) else ""
    domain = policy.qualify_recipient if recipients and await is_surely_in(session, recipients) else ""
    return qualify_headers(headers, sender_domain, domain) if sender_domain or domain else headers


async def rewrite(state: Finish) -> Reply | None:
    rewriting = state.session.policy.rewriting
    if rewriting is None:
        return None
    journal = state.session.services.journal
    try:
        found = await rewrite_message(
            rewriting,
            state.transaction.scope,
            state.sender,
            state.recipients,
            state.headers,
        )
    except (ExpansionFailed, ExpansionDeferred) as error:
        journal.main(f"{state.id} address rewriting: {error}")
        return TROUBLE
    state.sender = state.transaction.facts.sender = found.sender
    state.recipients[:] = found.recipients
    state.with_headers(found.headers)
    return None


async def add_trace(state: Finish) -> Reply | None:
    """It tells of the envelope as rewriting has left it."""
    if len(state.recipients) == 1:
        state.transaction.facts.received_for = state.recipients[0].address
    try:
        text = await state.session.policy.received_header.expand(state.transaction.scope)
    except (ExpansionFailed, ExpansionDeferred) as error:
        source = state.session.policy.received_header.source
        state.session.services.journal.panic(
            f'{state.id} Expansion of "{source}" (received_header_text) failed: {error}'
        )
        return TROUBLE
    state.transaction.facts.received_for = ""
    if text:
        state.with_headers(add_received(text, state.received_at) + state.headers)
    return None


async def change_headers(state: Finish) -> Reply | None:
    changes = state.transaction.changes
    if changes.added or changes.removed:
        if renames(changes):
            state.named_by = state.named_by or state.headers
        state.with_headers(apply_changes(state.headers, changes))
    return None


async def change_headers_again(state: Finish) -> Reply | None:
    """What ACLs of the data wish. A message that is being passed on stays as it was when they saw it (Exim 44.13)."""
    changes = state.transaction.changes
    if (changes.added or changes.removed) and is_being_passed(state.transaction):
        text = "Header modification in data ACLs will not take effect on cutthrough deliveries"
        state.session.services.journal.panic(f"{state.id} {text}")
        return None
    return await change_headers(state)


_OF_CONTENT: frozenset[Where] = frozenset(("dkim", "mime", "data_prdr", "data"))

STEPS: tuple[Step, ...] = (
    refuse_long_header_lines,
    look_at_headers,
    clean,
    rewrite,
    add_trace,
    change_headers,
    let_be_logged,
    run_dkim_acl,
    run_mime_acl,
    ask_for_each,
    run_data_acl,
    change_headers_again,
    fix_envelope,
    discard,
    pass_on,
    keep,
)


def steps_of(policy: AcceptPolicy) -> tuple[Step, ...]:
    """Without those that would find at each message that a configuration gives them nothing to do."""
    idle: set[Step] = set()
    if not policy.header_line_max:
        idle.add(refuse_long_header_lines)
    if policy.rewriting is None:
        idle.add(rewrite)
    if _OF_CONTENT.isdisjoint(policy.acls):
        idle.add(let_be_logged)
    if "mime" not in policy.acls:
        idle.add(run_mime_acl)
    if "data_prdr" not in policy.acls:
        idle.add(ask_for_each)
    return tuple(step for step in STEPS if step not in idle)
