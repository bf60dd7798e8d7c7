"""The ACLs that see the message as a whole, and what becomes of it by their word: DKIM, MIME, PRDR, DATA (Exim 44.2)."""

from __future__ import annotations

from functools import partial

from pillarbox.flow.accept.acls import run_acl
from pillarbox.flow.accept.finish.header_changes import apply_changes
from pillarbox.flow.accept.finish.mime import ask_about_parts
from pillarbox.flow.accept.finish.recipients import answer_each, is_wanted
from pillarbox.flow.accept.finish.signatures import does_verify, judge_signatures
from pillarbox.flow.accept.finish.state import Finish
from pillarbox.flow.accept.refusing import describe_refusal, log_rejection
from pillarbox.flow.accept.rejection import rejected_message, reply_to
from pillarbox.flow.check.acl.state import CheckMemory
from pillarbox.flow.check.verdict import Accept, Defer, Deny, Discard, Drop
from pillarbox.mail.reply import Reply
from pillarbox.wire.exim.log_line import dsn

OK = Reply(250, "OK")


async def let_be_logged(state: Finish) -> Reply | None:
    """What an ACL's `logwrite` puts into rejectlog has the envelope and the headers behind it, as a refusal has."""
    session, transaction = state.session, state.transaction
    memory = transaction.memory = transaction.memory or CheckMemory(session.memory)
    memory.describe_message = partial(_described, state)
    return None


async def run_dkim_acl(state: Finish) -> Reply | None:
    """Asked once for each signer; one that objects is enough."""
    transaction = state.transaction
    has_signers = state.session.policy.dkim_signers is not None
    if not state.recipients or not (state.verified or (has_signers and does_verify(state))):
        return None
    verdict = await judge_signatures(state)
    if isinstance(verdict, Accept):
        return None
    if isinstance(verdict, Discard):
        _throw_away(state, "DKIM", verdict)
        return None
    line = describe_refusal(state.session, "DKIM ", verdict, message_id=state.id)
    log_refusal(state, line)
    transaction.is_dropped = isinstance(verdict, Drop)
    return reply_to(verdict, OK)


async def run_mime_acl(state: Finish) -> Reply | None:
    """Asked once for each part; one that objects is enough."""
    if "mime" not in state.session.policy.acls or not state.recipients:
        return None
    verdict = await ask_about_parts(state)
    if verdict is None or isinstance(verdict, Accept):
        return None
    transaction = state.transaction
    if isinstance(verdict, Discard):
        _throw_away(state, "MIME", verdict)
        return None
    _log_verdict(state, "during MIME ACL checks", verdict)
    transaction.is_dropped = isinstance(verdict, Drop)
    return reply_to(verdict, OK)


async def ask_for_each(state: Finish) -> Reply | None:
    """PRDR, where the client wishes it and `acl_smtp_data_prdr` is set."""
    state.given = tuple(state.recipients)
    return await answer_each(state) if state.transaction.mail.prdr and is_wanted(state) else None


async def run_data_acl(state: Finish) -> Reply | None:
    """Its word of acceptance is what the client hears, but where PRDR has told each recipient's."""
    session, transaction = state.session, state.transaction
    if not state.recipients:
        return None
    verdict = await run_acl(session, "data", transaction.scope, None, transaction)
    if isinstance(verdict, Accept):
        if not state.is_prdr:
            state.accepted_text = verdict.text
        return None
    if isinstance(verdict, Discard):
        _throw_away(state, "DATA", verdict)
        state.accepted_text = verdict.reason.peer
        return None
    _log_verdict(state, "after DATA", verdict)
    transaction.is_dropped = isinstance(verdict, Drop)
    return reply_to(verdict, OK)


def _described(state: Finish) -> str:
    style = state.session.services.log_style
    return rejected_message(style, state.sender, state.recipients, state.headers)


def _throw_away(state: Finish, by: str, verdict: Discard) -> None:
    transaction = state.transaction
    state.given = tuple(state.recipients)
    transaction.recipients.clear()
    transaction.discarded_by, transaction.discard_text = by, verdict.reason.log


def _log_verdict(state: Finish, when: str, verdict: Deny | Defer | Drop) -> None:
    session = state.session
    wishes = dsn(state.transaction.mail, state.recipients, session.services.log_style)
    line = describe_refusal(session, when, verdict, state.sender or "", message_id=state.id, wishes=wishes)
    log_refusal(state, line)


def log_refusal(state: Finish, line: str) -> None:
    """With envelope and headers in rejectlog, as Exim writes them."""
    changes = state.transaction.changes
    headers = apply_changes(state.headers, changes) if changes.added or changes.removed else state.headers
    style = state.session.services.log_style
    more = rejected_message(style, state.sender, state.recipients, headers)
    log_rejection(state.session, f"{state.id} {line}", more)
