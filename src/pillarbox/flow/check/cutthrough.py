"""Passing a message on while its client waits (`control = cutthrough_delivery`, Exim 44.13).

Recipients are asked about on one kept callout (./held.py); when the message is here, and our own ACLs like it, it goes out there, and the other
host's word is the client's. Whatever is in the way, more than one host above all, only ends the passing: the message is then queued as any
other. The content is sent behind the ACLs, not beside them: a refused message never leaves.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from pillarbox.flow.check.callout import Answer, Callouts
from pillarbox.flow.check.callout_wish import CalloutWish
from pillarbox.flow.check.held import Held, Holder
from pillarbox.flow.route.result import Assignment, Routed
from pillarbox.flow.transport.attempt.parcel import make_parcel
from pillarbox.flow.transport.attempt.trouble import Lost
from pillarbox.flow.transport.job import Job
from pillarbox.flow.transport.line_length import longest_line_beyond
from pillarbox.flow.transport.outcomes import delivered
from pillarbox.flow.transport.services import TransportServices
from pillarbox.flow.transport.surroundings import Unfit
from pillarbox.flow.transport.transport import scope_of
from pillarbox.flow.transport.transports.smtp import Smtp
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.message import Message
from pillarbox.mail.outcome import Delivered
from pillarbox.mail.reply import Reply
from pillarbox.wire.smtp.events import Data

WISH = CalloutWish(has_no_cache=True, holds=True, is_for_message=True, uses_sender=True)
PATIENCE = 300.0
"""Seconds for the word on the message: its client waits, for ten minutes (RFC 5321 §4.5.3.2.6)."""
REFUSED = Answer(outcome="reject")
OFF = Answer(outcome="accept")
"""The recipient is none to pass a message on for."""


Outcome = Literal["accept", "reject", "defer", "unsaid"]
"""`unsaid`: it has not come to that."""


class Passed(msgspec.Struct, frozen=True):
    """What the host has made of the message."""

    outcome: Outcome
    reply: Reply | None = None
    """None with `defer`: the connection was lost when the whole message had been sent."""
    deliveries: tuple[Delivered, ...] = ()
    """With what was said, whatever it is, for the log; the last recipient first, as Exim has it."""


async def ask_onward(
    routed: Routed, callouts: Callouts, scope: Scope, sender: str, wish: CalloutWish, holder: Holder
) -> Answer:
    """About one more recipient, as verification has routed it. Where it cannot go with the others the holder lets go."""
    assignment = _only(routed)
    if assignment is None:
        await holder.let_go()
        return REFUSED if routed.refused and not (routed.assignments or routed.postponed) else OFF
    held = holder.held
    if held is not None and held.assignments[-1].candidate.recipient is assignment.candidate.recipient:
        return Answer(outcome="accept")  # the ACL has asked already
    transport = callouts.transport_of(assignment)
    if transport is None or not _can_pass(transport, assignment, held):
        await holder.let_go()
        return OFF
    answer = await callouts.ask(assignment, assignment.address, wish, scope, sender, holder)
    if holder.held is None or answer.outcome != "accept":
        await holder.let_go()
    return answer


def _only(routed: Routed) -> Assignment | None:
    """Where it goes, if that is one place, and all that there is of it."""
    has_more = routed.redirected or routed.discarded or routed.refused or routed.postponed
    return None if has_more or len(routed.assignments) != 1 else routed.assignments[0]


def _can_pass(transport: Smtp, assignment: Assignment, held: Held | None) -> bool:
    """Nothing is wished of the delivery that only one from the queue gives."""
    if (
        assignment.errors_to is not None
        or assignment.candidate.recipient.notify
        or transport.speaks not in ("smtp", "smtps", "submissions")
        or transport.filter_line is not None
        or transport.signs
        or transport.shadow_transport is not None
        or transport.event_action is not None
        or transport.message_size_limit is not None
        or transport.body_only
        or transport.headers_only
        or not isinstance(transport.multi_domain, bool)
    ):
        return False
    if held is None:
        return True
    first, limit = held.assignments[0], transport.addresses_per_job
    return (
        first.headers_add == assignment.headers_add
        and first.headers_remove == assignment.headers_remove
        and (transport.multi_domain or first.domain == assignment.domain)
        and not 0 < limit <= len(held.assignments)
    )


async def send_held(held: Held, envelope: Envelope, message: Message, services: TransportServices) -> Passed:
    """The message, to the host that has taken its recipients. The connection is done with afterwards, but not closed."""
    transport, session, habits = held.transport, held.session, held.habits
    limit = transport.message_linelength_limit
    if limit > 0 and longest_line_beyond(message, limit):
        return Passed("unsaid")
    job = Job(envelope, message, tuple(held.assignments))
    try:
        pack = await make_parcel(transport, job, scope_of(job, services), services, size_addition=0)
        parcel = pack(job.assignments)
    except (ExpansionDeferred, ExpansionFailed, Unfit):
        return Passed("unsaid")
    is_complete = False
    try:
        [answer] = await session.ask(Data())
        if not session.engine.is_content_open:
            return Passed("unsaid", answer.reply)
        await session.write_message(parcel.chunks(), habits.data_timeout)
        is_complete = True
        [answer] = await session.answers(1, min(habits.final_timeout, PATIENCE))
    except Lost:
        return Passed("defer" if is_complete else "unsaid")
    reply = answer.reply
    session.messages += 1
    outcome: Outcome = "accept" if reply.is_positive else "reject" if reply.is_permanent else "defer"
    return Passed(outcome, reply, _told(held, reply))


def _told(held: Held, reply: Reply) -> tuple[Delivered, ...]:
    session = held.session
    return tuple(
        delivered(
            assignment,
            host=session.target.remote,
            reply=reply,
            security=session.security,
            pipelining=session.pipelining,
            return_path=held.sender,
            size=session.engine.content_size,
            interface=session.local_address,
            startup=session.startup if assignment is held.assignments[0] else "",
        )
        for assignment in reversed(held.assignments)
    )
