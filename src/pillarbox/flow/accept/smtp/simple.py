"""RSET, NOOP, HELP and QUIT."""

from __future__ import annotations

from pillarbox.flow.accept.acls import run_acl
from pillarbox.flow.accept.listening import tell_lists
from pillarbox.flow.accept.membership import is_surely_in
from pillarbox.flow.accept.parting import ended, incomplete, tell_failure
from pillarbox.flow.accept.rejection import in_lines
from pillarbox.flow.accept.session import Session
from pillarbox.flow.accept.verbs import verb
from pillarbox.flow.check.verdict import Accept
from pillarbox.mail.reply import Reply
from pillarbox.wire.smtp.events import Help, Noop, Quit, Rset

OK = Reply(250, "OK", "2.0.0")
RESET = Reply(250, "Reset OK", "2.0.0")
ALWAYS_KNOWN = "HELO EHLO MAIL RCPT DATA BDAT NOOP QUIT RSET HELP"


@verb(Rset)
async def reset(session: Session, event: Rset) -> None:
    incomplete(session, "RSET")
    await session.forget_transaction()
    session.live.count_rcpts_anew()
    session.reply(RESET)


@verb(Noop)
async def noop(session: Session, event: Noop) -> None:
    session.reply(OK)


@verb(Help)
async def help_text(session: Session, event: Help) -> None:
    await tell_lists(session, "tls_advertise_hosts", "wellknown_advertise_hosts")
    acls = session.policy.acls
    words = ["AUTH", *(["STARTTLS"] if await _may_start_tls(session) else []), ALWAYS_KNOWN]
    words += [where.upper() for where in ("etrn", "expn", "vrfy") if where in acls]
    if await is_surely_in(session, session.policy.wellknown_hosts):
        words.append("WELLKNOWN")
    session.reply(Reply(214, f"Commands supported:\n{' '.join(words)}", "2.0.0"))


async def _may_start_tls(session: Session) -> bool:
    if not session.policy.tls_available or session.engine.is_tls:
        return False
    hosts = session.policy.tls_hosts
    return hosts is None or await is_surely_in(session, hosts)


@verb(Quit)
async def quit_session(session: Session, event: Quit) -> None:
    incomplete(session, "QUIT")
    await session.forget_transaction()
    bye = Reply(221, f"{session.hostname} closing connection", "2.0.0")
    if "quit" in session.policy.acls:
        verdict = await run_acl(session, "quit", session.new_scope())
        tell_failure(session, "QUIT", verdict)
        text = verdict.text if isinstance(verdict, Accept) else verdict.reason.peer
        bye = Reply(221, in_lines(text), bye.enhanced) if text else bye
    session.reply(bye)
    ended(session, "closed by QUIT")
