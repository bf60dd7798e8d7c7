"""A reply for each recipient behind the data: PRDR, and `acl_smtp_data_prdr` (Exim 44.2.7, draft-hall-prdr).

The ACL sees each recipient of a message with several; those that it refuses do not get the message. What became of the whole is said last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.flow.accept.acls import run_acl
from pillarbox.flow.accept.rejection import reply_to
from pillarbox.flow.check.verdict import Accept, Defer, Discard
from pillarbox.flow.route.candidate import Candidate
from pillarbox.mail.envelope import Recipient
from pillarbox.mail.reply import Reply

if TYPE_CHECKING:
    from pillarbox.flow.accept.finish.state import Finish

BEGINNING = Reply(353, "PRDR content analysis beginning")


def is_wanted(state: Finish) -> bool:
    session = state.session
    return state.transaction.mail.prdr and len(state.recipients) > 1 and "data_prdr" in session.policy.acls


async def answer_each(state: Finish) -> Reply | None:
    """The last reply when nobody is left; else what it is going to be stands in the state."""
    session, given = state.session, list(state.recipients)
    session.engine.say(BEGINNING)
    for recipient in given:
        await _answer(state, recipient)
    state.is_prdr = True
    if not state.recipients:
        return Reply(550, f"id={state.id} message rejected for all recipients", "5.7.1")
    some = " for some recipients" if len(state.recipients) < len(given) else ""
    state.accepted_text = f"id={state.id} message accepted{some}"
    return None


async def _answer(state: Finish, recipient: Recipient) -> None:
    session, transaction = state.session, state.transaction
    candidate = Candidate.first(recipient)
    scope = transaction.scope.with_facet(Candidate, candidate)
    verdict = await run_acl(session, "data_prdr", scope, candidate, transaction)
    code, word = 550, "refusal"
    if isinstance(verdict, Accept | Discard):
        code, word = 250, "acceptance"
    elif isinstance(verdict, Defer):
        code, word = 450, "temporary refusal"
    usual = f"PRDR R=<{recipient.address}> {word}"
    own = verdict.text if isinstance(verdict, Accept) else verdict.reason.peer
    enhanced = f"{code // 100}.{'7.1' if code != 250 else '1.5'}"
    reply = Reply(code, own or usual, enhanced)
    session.engine.say(reply_to(Accept(own), reply) if own else reply)
    shown = f"PRDR {recipient.address} {own}" if own else usual
    session.services.journal.main(f"{state.id} {shown}")
    if not isinstance(verdict, Accept):
        state.recipients.remove(recipient)
