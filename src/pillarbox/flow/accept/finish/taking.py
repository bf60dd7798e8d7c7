"""The last steps: the envelope is fixed, and the message is thrown away, passed on or kept; what the log and the client are told of that."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from pillarbox.flow.accept.finish.keeping import origin_of, reception_of
from pillarbox.flow.accept.finish.state import Finish
from pillarbox.flow.accept.passing import pass_message
from pillarbox.flow.accept.refusing import tell_misfit
from pillarbox.flow.accept.rejection import in_lines, with_own_code
from pillarbox.flow.accept.waiting import LATCH, begin, start_of
from pillarbox.flow.check.acl.state import CUTTHROUGH
from pillarbox.mail.arrival import Arrival
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.reply import Reply
from pillarbox.wire.exim.log_line import line_completed, line_received

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


async def fix_envelope(state: Finish) -> Reply | None:
    """From here on nothing of it changes. Nobody is told of recipients whose message only seems to be refused."""
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
        is_dry=state.session.wishes.is_dry,
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
    if style.is_default and not (
        is_fake
        or state.is_prdr
        or transaction.is_chunked
        or state.signed_by
        or state.named_by
        or session.wishes.reference
    ):
        return None
    engine, proxy = session.engine, session.proxy
    return Arrival(
        is_fake=is_fake,
        is_chunked=transaction.is_chunked,
        is_prdr=state.is_prdr,
        signed_by=state.signed_by,
        named_by=state.named_by,
        proxy=proxy.local_address if proxy is not None else "",
        pipelining=engine.pipelining,
        body_type=session.body_type,
        elapsed=session.services.clock.now() - transaction.began,
        written_sender=transaction.facts.written_sender,
        written_recipients=transaction.facts.written_recipients,
        recipients=state.given if state.is_prdr or not state.recipients else (),
        reference=session.wishes.reference,
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
