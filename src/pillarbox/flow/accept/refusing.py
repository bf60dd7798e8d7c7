"""Saying no to a client, and logging it in Exim's words: `H=… F=<…> rejected RCPT <…>: why` (Exim 44.8, 53)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.flow.accept.rejection import fitting, misfit, reply_to
from pillarbox.flow.check.acl.state import USUAL_TARGETS
from pillarbox.flow.check.verdict import Defer, Deny, Discard, Drop
from pillarbox.mail.reply import Reply
from pillarbox.wire.exim.log_line import login, printable, security

if TYPE_CHECKING:
    from pillarbox.flow.accept.session import Session

VRFY_REFUSED = 252
"""Texts for VRFY may have codes of any class."""


def refuse(
    session: Session,
    what: str,
    verdict: Deny | Defer | Drop | Discard,
    *,
    code: int = 550,
    sender: str | None = None,
    wishes: str = "",
    is_greeting: bool = False,
) -> None:
    """Log it and reply. `wishes`: as `dsn` writes those of the envelope."""
    log_rejection(session, describe_refusal(session, what, verdict, sender, code, wishes=wishes))
    if isinstance(verdict, Discard):  # has no meaning here
        verdict = Deny(verdict.reason)
    session.is_dropped = isinstance(verdict, Drop)
    any_code = code == VRFY_REFUSED
    enhanced = "2.5.2" if any_code else f"{code // 100}.7.1"
    reply = reply_to(verdict, Reply(250, "OK"), code=code, enhanced=enhanced, any_code=any_code)
    if is_greeting:
        session.engine.greet(reply)
    else:
        session.reply(reply, close=isinstance(verdict, Drop) or None)


def describe_refusal(
    session: Session,
    what: str,
    verdict: Deny | Defer | Drop | Discard,
    sender: str | None = None,
    code: int = 550,
    message_id: str = "",
    wishes: str = "",
) -> str:
    origin = session.origin
    about = "" if sender is None else f" F=<{sender}>{login(origin)}"
    secured = security(origin, session.services.log_style)
    word = "temporarily rejected" if isinstance(verdict, Defer) else "rejected"
    why = verdict.reason.log or verdict.reason.peer
    any_code = code == VRFY_REFUSED
    code = 451 if isinstance(verdict, Defer) else code
    if verdict.reason.peer and not any_code:
        tell_misfit(session, verdict.reason.peer, code, message_id)
    if why and why == verdict.reason.peer and not any_code:
        why = fitting(why, code)
    why = why.partition("\n")[0]
    return f"{session.described()}{secured}{about}{wishes} {word} {what}{f': {why}' if why else ''}"


def log_rejection(session: Session, line: str, more: str = "") -> None:
    """In mainlog and rejectlog, or where the last ACL's `log_reject_target` says; `more` in the latter only."""
    line = "\t".join(map(printable, line.split("\t")))
    journal, targets = session.services.journal, session.log_targets
    session.log_targets = USUAL_TARGETS
    if "panic" in targets:
        (journal.panic if "main" in targets else journal.panic_only)(line)
    elif "main" in targets:
        journal.main(line)
    if "reject" in targets:
        journal.reject(f"{line}\n{more}" if more else line)


def tell_misfit(session: Session, text: str, code: int, message_id: str) -> None:
    """Of a configured text whose codes are of another class than `code`."""
    if trouble := misfit(text, code):
        session.services.journal.panic(f"{message_id} {trouble}" if message_id else trouble)
