"""`control = cutthrough_delivery` in a session: who is asked when, and what the client hears (Exim 44.13).

Begun by the first recipient of a message or not at all. Whatever ends it, the connection or a wish that it cannot meet, leaves the message to
the spool. Local trouble is never the client's, but with `defer=pass` what the other host puts off is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.flow.accept.refusing import log_rejection
from pillarbox.flow.accept.rejection import rejected_message
from pillarbox.flow.accept.transaction import Transaction
from pillarbox.flow.check.acl.state import CUTTHROUGH, CheckMemory
from pillarbox.flow.check.callout import Answer
from pillarbox.flow.check.cutthrough import Passed
from pillarbox.flow.check.held import Holder
from pillarbox.flow.check.verdict import Accept, Defer, Deny
from pillarbox.flow.route.candidate import Candidate
from pillarbox.language.expand.scope import Scope
from pillarbox.mail.outcome import Delivered
from pillarbox.mail.reply import Reason, Reply
from pillarbox.wire.exim.log_line import printable
from pillarbox.wire.exim.outcome_line import line_outcome

if TYPE_CHECKING:
    from pillarbox.flow.accept.finish.state import Finish
    from pillarbox.flow.accept.session import Session

KEPT_BACK = ("fakedefer", "fakereject", "freeze", "queue")
"""Controls of messages that are to be in the queue."""
NOT_TAKEN = Reply(450, "Onward transmission not accepted", "4.4.2")


async def ask_onward(
    session: Session, transaction: Transaction, candidate: Candidate, scope: Scope
) -> Accept | Deny | Defer:
    """The other host's word on a recipient that the ACL accepts; Accept where it has none."""
    memory = transaction.memory = transaction.memory or CheckMemory(session.memory)
    holder = memory.holder = memory.holder or Holder()
    if transaction.named == 1:
        holder.is_passing = _may_pass(session, transaction)
    if not holder.is_passing:
        return Accept()
    options = _options(transaction)
    answer = await session.services.checks.verifier.ask_onward(
        candidate, scope, holder, uses_return_path=options.get("sender") == "transport"
    )
    if answer.outcome == "reject":
        return Deny(Reason(""))
    if answer.outcome == "defer" and options.get("defer") == "pass":
        return Defer(Reason("", _as_text(answer)))
    return Accept()


def _may_pass(session: Session, transaction: Transaction) -> bool:
    mail = transaction.mail
    is_plain = not (mail.prdr or mail.smtputf8 or mail.envid or mail.ret)
    return is_plain and not _is_kept_back(transaction)


def _is_kept_back(transaction: Transaction) -> bool:
    return any(control in transaction.controls for control in KEPT_BACK)


def _options(transaction: Transaction) -> dict[str, str]:
    """`defer=pass`, `sender=transport`; what else is there counts for nothing, as in Exim."""
    pairs = (option.partition("=") for option in transaction.controls.get(CUTTHROUGH, "").split("/"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def _as_text(answer: Answer) -> str:
    """Its reply as the text of a refusal: the code in front, once."""
    lines = answer.said.splitlines()
    return f"{answer.said[:4].replace('-', ' ')}{chr(10).join(line[4:] for line in lines)}" if lines else ""


def holder_of(transaction: Transaction) -> Holder | None:
    return transaction.memory.holder if transaction.memory is not None else None


def is_being_passed(transaction: Transaction) -> bool:
    holder = holder_of(transaction)
    return holder is not None and holder.is_passing and holder.held is not None


async def let_go(transaction: Transaction) -> None:
    """The transaction is over, or takes a way on which nothing can be passed on."""
    holder = holder_of(transaction)
    if holder is not None:
        await holder.let_go()


async def pass_message(state: Finish) -> Reply | None:
    """None: it is to be kept like any other."""
    holder = holder_of(state.transaction)
    if holder is None or holder.held is None or state.envelope is None:
        return None
    held, is_passing = holder.held, holder.is_passing
    named = [assignment.candidate.recipient.address for assignment in held.assignments]
    is_whole = named == [recipient.address for recipient in state.recipients]
    try:
        if not (is_passing and is_whole) or _is_kept_back(state.transaction):
            return None
        verifier = state.session.services.checks.verifier
        passed = await verifier.send_held(held, state.envelope, state.message)
        return _reply(state, passed)
    finally:
        await holder.let_go()


def _reply(state: Finish, passed: Passed) -> Reply | None:
    reply, defers = passed.reply, _options(state.transaction).get("defer") == "pass"
    match passed.outcome:
        case "accept":
            for delivery in passed.deliveries:
                state.session.services.journal.main(_line(state, delivery))
            return reply
        case "reject" if reply is not None:
            style = state.session.services.log_style
            more = rejected_message(style, state.sender, state.recipients, state.headers)
            log_rejection(state.session, _told(state, passed, "rejected after DATA"), more)
            return reply
        case "defer" if reply is not None:
            line = _told(state, passed, "tmp-reject from cutthrough after DATA")
            state.session.services.journal.main(printable(line))
            return reply if defers else None
        case "defer" if defers:
            return NOT_TAKEN
        case _:
            return None


def _line(state: Finish, delivery: Delivered) -> str:
    """`>>`"""
    services = state.session.services
    return line_outcome(
        state.id,
        delivery,
        style=services.log_style,
        sender=state.sender,
        age=services.clock.now() - state.received_at,
        is_passed_on=True,
    )


def _told(state: Finish, passed: Passed, what: str) -> str:
    """`ID H=… address F=<…> what: R=… T=… H=… C="…"`"""
    session, last = state.session, passed.deliveries[0]
    where = _line(state, last).partition(" R=")[2]
    return f"{state.id} {session.described()} {last.address} F=<{state.sender or ''}> {what}: R={where}"
