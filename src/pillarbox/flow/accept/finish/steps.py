"""The end of the data, in steps. The first step that gives a reply ends it; the last one always does.

What is accepted is durable before the 250 goes out, and its first delivery starts behind it. Headers that ACLs up to `predata` added are
there for the `data` ACL to see; what that one adds comes behind (Exim 44.15).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from pillarbox.flow.accept.acls import run_acl
from pillarbox.flow.accept.finish.header_changes import apply_changes
from pillarbox.flow.accept.finish.keeping import origin_of, reception_of
from pillarbox.flow.accept.finish.mime import ask_about_parts
from pillarbox.flow.accept.finish.qualifying import qualify_headers, tell_malformed
from pillarbox.flow.accept.finish.received import add_received
from pillarbox.flow.accept.finish.recipients import answer_each, is_wanted
from pillarbox.flow.accept.finish.rewriting import rewrite_message
from pillarbox.flow.accept.finish.signatures import does_verify, judge_signatures, verify_signatures
from pillarbox.flow.accept.finish.state import Finish
from pillarbox.flow.accept.finish.submission import fix_local, fix_up
from pillarbox.flow.accept.membership import is_surely_in
from pillarbox.flow.accept.passing import is_being_passed, pass_message
from pillarbox.flow.accept.policy import AcceptPolicy, Step
from pillarbox.flow.accept.refusing import describe_refusal, log_rejection, tell_misfit
from pillarbox.flow.accept.rejection import in_lines, rejected_message, reply_to, with_own_code
from pillarbox.flow.accept.transaction import Transaction
from pillarbox.flow.accept.waiting import LATCH, begin, start_of
from pillarbox.flow.check.acl.state import CUTTHROUGH
from pillarbox.flow.check.scan.leftovers import forget_files
from pillarbox.flow.check.verdict import Accept, Defer, Deny, Discard, Drop
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.rewrite.fields import may_be_malformed
from pillarbox.mail import header
from pillarbox.mail.arrival import Arrival
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.message import Message
from pillarbox.mail.reply import Reply
from pillarbox.wire.exim.log_line import line_completed, line_received, printable

if TYPE_CHECKING:
    from pillarbox.flow.accept.session import Session

OK = Reply(250, "OK")
TROUBLE = Reply(451, "Temporary local problem - please try later", "4.3.0")
OVERLONG = Reply(552, "A message header line is too long", "5.3.4")
LOOP = Reply(550, 'Too many "Received" headers - suspected mail loop', "5.4.6")
FAKE_REPLIES = {
    "fakereject": Reply(
        550,
        "Your message has been rejected but is being kept for evaluation.\n"
        "If it was a legitimate message, it may still be delivered to the target\nrecipient(s).",
        "5.7.1",
    ),
    "fakedefer": Reply(
        450,
        "Your message has been rejected but is being kept for evaluation.\n"
        "If it was a legitimate message, it may still be delivered to the target\nrecipient(s).",
        "4.7.1",
    ),
}


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
    hops = lowered.count(b"\nreceived:") + lowered.startswith(b"received:")
    if hops <= state.session.policy.received_headers_max:
        if b"dkim-signature:" in lowered:
            await verify_signatures(state)
        return None
    host = state.session.described()
    _log_refusal(state, f"{host} F=<{state.sender or ''}> rejected after DATA: {LOOP.text}")
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


async def run_dkim_acl(state: Finish) -> Reply | None:
    transaction = state.transaction
    has_signers = state.session.policy.dkim_signers is not None
    if not state.recipients or not (state.verified or (has_signers and does_verify(state))):
        return None
    verdict = await judge_signatures(state)
    if isinstance(verdict, Accept):
        return None
    if isinstance(verdict, Discard):
        transaction.recipients.clear()
        transaction.discarded_by, transaction.discard_text = "DKIM", verdict.reason.log
        return None
    line = describe_refusal(state.session, "DKIM ", verdict, message_id=state.id)
    _log_refusal(state, line)
    transaction.is_dropped = isinstance(verdict, Drop)
    return reply_to(verdict, OK)


async def run_mime_acl(state: Finish) -> Reply | None:
    if "mime" not in state.session.policy.acls or not state.recipients:
        return None
    verdict = await ask_about_parts(state)
    if verdict is None or isinstance(verdict, Accept):
        return None
    transaction = state.transaction
    if isinstance(verdict, Discard):
        transaction.recipients.clear()
        transaction.discarded_by, transaction.discard_text = "MIME", verdict.reason.log
        return None
    _log_verdict(state, "during MIME ACL checks", verdict)
    transaction.is_dropped = isinstance(verdict, Drop)
    return reply_to(verdict, OK)


async def ask_for_each(state: Finish) -> Reply | None:
    """PRDR, where the client wishes it and `acl_smtp_data_prdr` is set."""
    state.given = tuple(state.recipients)
    return await answer_each(state) if state.transaction.mail.prdr and is_wanted(state) else None


async def run_data_acl(state: Finish) -> Reply | None:
    session, transaction = state.session, state.transaction
    if not state.recipients:
        return None
    verdict = await run_acl(session, "data", transaction.scope, None, transaction)
    if isinstance(verdict, Accept):
        if not state.is_prdr:
            state.accepted_text = verdict.text
        return None
    if isinstance(verdict, Discard):
        transaction.recipients.clear()
        transaction.discarded_by, transaction.discard_text = "DATA", verdict.reason.log
        state.accepted_text = verdict.reason.peer
        return None
    _log_verdict(state, "after DATA", verdict)
    transaction.is_dropped = isinstance(verdict, Drop)
    return reply_to(verdict, OK)


async def fix_envelope(state: Finish) -> Reply | None:
    transaction = state.transaction
    mail = transaction.mail
    if not FAKE_REPLIES.keys().isdisjoint(transaction.controls):
        state.recipients = [msgspec.structs.replace(each, notify=("NEVER",)) for each in state.recipients]
    state.envelope = Envelope(
        id=state.id,
        sender=state.sender,
        recipients=tuple(state.recipients),
        origin=origin_of(state.session),
        received_at=state.received_at,
        body_type=mail.body,
        smtputf8=mail.smtputf8,
        utf8_downconvert=_downconversion(transaction.controls),
        ret=mail.ret,
        envid=mail.envid,
        auth_sender=transaction.facts.auth_sender,
        acl_variables=transaction.facts.acl_variables,
        tainted_variables=transaction.facts.tainted_variables,
        queue=state.session.memory.queue,
        reception=await reception_of(state),
    )
    return None


def _downconversion(controls: Mapping[str, str]) -> str:
    """`control = utf8_downconvert`: 1, unless it says otherwise."""
    said = controls.get("utf8_downconvert")
    return "" if said is None else said or "1"


async def discard(state: Finish) -> Reply | None:
    """A message whose recipients ACLs have all thrown away; its sender need not know."""
    transaction, journal = state.transaction, state.session.services.journal
    if state.recipients or state.envelope is None:
        return None
    journal.main(_received_line(state, state.envelope, _arrival(state)))
    reply = _accepted(state)
    where = transaction.discarded_by
    why = f": {transaction.discard_text}" if transaction.discard_text and where in ("DATA", "DKIM") else ""
    journal.main(f"{state.id} => blackhole ({where} ACL discarded recipients){why}")
    journal.main(line_completed(state.id))
    return reply


async def pass_on(state: Finish) -> Reply | None:
    """`control = cutthrough_delivery`: to the next host, whose word is the client's."""
    if CUTTHROUGH not in state.transaction.controls:
        return None
    reply = await pass_message(state)
    if reply is None or not reply.is_positive or state.envelope is None:
        return reply
    journal = state.session.services.journal
    journal.main(_received_line(state, state.envelope, _arrival(state)))
    journal.main(line_completed(state.id))
    state.session.received += 1
    return _accepted(state)


async def keep(state: Finish) -> Reply | None:
    """From here on the message is ours, whatever else happens."""
    services = state.session.services
    assert state.envelope is not None
    queued = await services.spool.accept(state.envelope, state.message)
    arrival = _arrival(state)
    services.journal.main(_received_line(state, state.envelope, arrival))
    if arrival is not None:
        queued = msgspec.structs.replace(queued, arrival=arrival)
    controls = state.transaction.controls
    session = state.session
    session.received += 1
    start = start_of(
        controls,
        session.policy,
        received=session.received,
        connections=session.connections,
        is_latched=LATCH in session.memory.controls,
    )
    if start.is_latched:
        session.memory.controls.add(LATCH)
    await begin(queued, controls, start, services)
    return _accepted(state)


def _received_line(state: Finish, envelope: Envelope, arrival: Arrival | None) -> str:
    session = state.session
    if envelope.origin is not session.origin:
        envelope = msgspec.structs.replace(envelope, origin=session.origin)
    return line_received(envelope, state.message, style=session.services.log_style, arrival=arrival)


def _arrival(state: Finish) -> Arrival | None:
    """None where there is nothing to tell."""
    transaction, session = state.transaction, state.session
    style = session.services.log_style
    is_fake = "fakereject" in transaction.controls
    if style.is_default and not (is_fake or state.is_prdr or transaction.is_chunked or state.signed_by):
        return None
    engine, proxy = session.engine, session.proxy
    return Arrival(
        is_fake=is_fake,
        is_chunked=transaction.is_chunked,
        is_prdr=state.is_prdr,
        signed_by=state.signed_by,
        proxy=proxy.local_address if proxy is not None else "",
        pipelining=engine.pipelining,
        elapsed=session.services.clock.now() - transaction.began,
        written_sender=transaction.facts.written_sender,
        written_recipients=transaction.facts.written_recipients,
        recipients=state.given if state.is_prdr else (),
    )


def _accepted(state: Finish) -> Reply:
    controls = state.transaction.controls
    for control in reversed(controls):
        if control in FAKE_REPLIES:
            text, usual = controls[control], FAKE_REPLIES[control]
            return with_own_code(Reply(usual.code, text, usual.enhanced)) if text else usual
    text = state.accepted_text
    if text:
        tell_misfit(state.session, text, 250, state.id)
        return with_own_code(Reply(250, in_lines(text), "2.0.0"))
    return Reply(250, f"OK id={state.id}", "2.0.0")


def _log_verdict(state: Finish, when: str, verdict: Deny | Defer | Drop) -> None:
    _log_refusal(
        state, describe_refusal(state.session, when, verdict, state.sender or "", message_id=state.id)
    )


def _log_refusal(state: Finish, line: str) -> None:
    """With envelope and headers in rejectlog, as Exim writes them."""
    changes = state.transaction.changes
    headers = apply_changes(state.headers, changes) if changes.added or changes.removed else state.headers
    style = state.session.services.log_style
    more = rejected_message(style, state.sender, state.recipients, headers)
    log_rejection(state.session, f"{state.id} {line}", more)


STEPS: tuple[Step, ...] = (
    refuse_long_header_lines,
    look_at_headers,
    clean,
    rewrite,
    add_trace,
    change_headers,
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
    if "mime" not in policy.acls:
        idle.add(run_mime_acl)
    if "data_prdr" not in policy.acls:
        idle.add(ask_for_each)
    return tuple(step for step in STEPS if step not in idle)
