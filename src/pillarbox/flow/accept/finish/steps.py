"""The end of the data, in steps. The first step that gives a reply ends it; the last one always does.

What is accepted is durable before the 250 goes out, and its first delivery starts behind it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from pillarbox.flow.accept.finish.received import add_received
from pillarbox.flow.accept.finish.state import Finish
from pillarbox.flow.accept.finish.submission import fix_up
from pillarbox.flow.accept.rejection import describe_host, reply_to
from pillarbox.flow.accept.transaction import Transaction
from pillarbox.flow.check.verdict import Accept, Discard, Drop
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.header import remove
from pillarbox.mail.message import Message
from pillarbox.mail.progress import Frozen
from pillarbox.mail.reply import Reason, Reply
from pillarbox.wire.exim.log_line import line_received

if TYPE_CHECKING:
    from pillarbox.flow.accept.session import Session

Step = Callable[[Finish], Awaitable[Reply | None]]

LOOP = Reply(550, 'Too many "Received" headers - suspected mail loop', "5.4.6")
NO_RECIPIENTS = Reply(550, "No valid recipients", "5.5.1")


async def finish_message(session: Session, transaction: Transaction, message: Message) -> list[Reply]:
    """One reply; with LMTP one for each recipient (RFC 2033 §4.2). Raises SpoolFull."""
    state = Finish(session, transaction, message)
    transaction.facts.id = state.id
    transaction.facts.message = message
    transaction.facts.size = message.size
    for step in STEPS:
        reply = await step(state)
        if reply is not None:
            return [reply] * (len(transaction.recipients) if session.policy.engine.lmtp else 1)
    raise AssertionError("the last step gives a reply")


async def refuse_loops(state: Finish) -> Reply | None:
    lowered = state.headers.lower()
    hops = lowered.count(b"\nreceived:") + lowered.startswith(b"received:")
    if hops <= state.session.policy.received_headers_max:
        return None
    state.session.reject("after DATA", Reason(LOOP.text), state.sender or "")
    return LOOP


async def fix_submission(state: Finish) -> Reply | None:
    options = state.transaction.controls.get("submission")
    if options is not None:
        origin = state.session.origin
        fixed = fix_up(
            state.headers,
            options,
            sender=state.sender,
            authenticated_id=origin.authenticated_id,
            qualify_domain=state.session.policy.qualify_domain,
            message_id=f"E{state.id}@{state.session.policy.primary_hostname}",
            now=state.received_at,
        )
        state.sender = fixed.sender
        state.transaction.facts.sender = fixed.sender
        state.with_headers(fixed.headers)
    return None


async def add_trace(state: Finish) -> Reply | None:
    transaction = state.transaction
    if len(state.recipients) == 1:
        transaction.facts.received_for = state.recipients[0].address
    text = await state.session.policy.received_header.expand(transaction.scope)
    if text:
        state.with_headers(add_received(text, state.received_at) + state.headers)
    return None


async def run_data_acl(state: Finish) -> Reply | None:
    session, transaction = state.session, state.transaction
    verdict = await session.check("data", transaction.scope, None, transaction)
    if isinstance(verdict, Accept):
        return None
    if isinstance(verdict, Discard):
        transaction.is_discarded = True
        return None
    session.reject("after DATA", verdict.reason, state.sender or "")
    reply = reply_to(verdict, Reply(250, "OK"))
    return Reply(421, reply.text, "4.7.0") if isinstance(verdict, Drop) and reply.code < 500 else reply


async def change_headers(state: Finish) -> Reply | None:
    transaction = state.transaction
    headers = state.headers
    if transaction.removed_headers:
        headers = remove(headers, frozenset(transaction.removed_headers))
    if transaction.added_headers:
        headers += b"".join(f"{line}\n".encode() for line in transaction.added_headers)
    if headers is not state.headers:
        state.with_headers(headers)
    return None


async def discard(state: Finish) -> Reply | None:
    """A message that an ACL takes and throws away; its sender need not know."""
    if state.recipients and not state.transaction.is_discarded:
        return None
    journal = state.session.services.journal
    journal.main(
        f"{state.id} <= {state.sender or '<>'} {describe_host(state.session.origin)} discarded by ACL"
    )
    journal.main(f"{state.id} Completed")
    return Reply(250, f"OK id={state.id}", "2.0.0")


async def keep(state: Finish) -> Reply | None:
    """From here on the message is ours."""
    session, transaction = state.session, state.transaction
    mail = transaction.mail
    envelope = Envelope(
        id=state.id,
        sender=state.sender,
        recipients=tuple(state.recipients),
        origin=session.origin,
        received_at=state.received_at,
        body_type=mail.body,
        smtputf8=mail.smtputf8,
        ret=mail.ret,
        envid=mail.envid,
        acl_variables=tuple(transaction.facts.variables.items()),
    )
    services = session.services
    queued = await services.spool.accept(envelope, state.message)
    services.journal.main(line_received(envelope, state.message))
    controls = transaction.controls
    if "freeze" in controls:
        services.spool.record(state.id, [Frozen(state.received_at)])
        services.journal.main(f"{state.id} frozen by ACL")
    if "freeze" in controls or "queue" in controls or "queue_only" in controls:
        await services.spool.park(state.id)
    else:
        services.deliver(queued)
    return Reply(250, f"OK id={state.id}", "2.0.0")


STEPS: tuple[Step, ...] = (
    refuse_loops,
    fix_submission,
    add_trace,
    run_data_acl,
    change_headers,
    discard,
    keep,
)
