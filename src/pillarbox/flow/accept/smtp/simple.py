"""RSET, NOOP, HELP, QUIT, and what the engine has answered already."""

from __future__ import annotations

from pillarbox.flow.accept.rejection import describe_host
from pillarbox.flow.accept.session import Session, verb
from pillarbox.flow.check.verdict import Accept
from pillarbox.mail.reply import Reply
from pillarbox.wire.exim.log_line import sending_host
from pillarbox.wire.smtp.events import Help, Noop, Problem, ProtocolError, Quit, Rset

OK = Reply(250, "OK", "2.0.0")
MAY_NOT_FAIL = "QUIT or not-QUIT toplevel ACL may not fail ('deny' verb used incorrectly)"
RESET = Reply(250, "Reset OK", "2.0.0")
COMMANDS = Reply(
    214,
    "Commands supported:\nAUTH STARTTLS HELO EHLO MAIL RCPT DATA BDAT NOOP QUIT RSET HELP VRFY EXPN",
    "2.0.0",
)


@verb(Rset)
async def reset(session: Session, event: Rset) -> None:
    session.forget_transaction()
    session.reply(RESET)


@verb(Noop)
async def noop(session: Session, event: Noop) -> None:
    session.reply(OK)


@verb(Help)
async def help_text(session: Session, event: Help) -> None:
    session.reply(COMMANDS)


@verb(Quit)
async def quit_session(session: Session, event: Quit) -> None:
    session.forget_transaction()
    bye = Reply(221, f"{session.policy.primary_hostname} closing connection", "2.0.0")
    if "quit" in session.policy.acls:
        verdict = await session.check("quit", session.new_scope())
        if not isinstance(verdict, Accept):
            session.services.journal.panic(f"ACL for QUIT returned ERROR: {MAY_NOT_FAIL}")
        text = verdict.text if isinstance(verdict, Accept) else verdict.reason.peer
        bye = Reply(221, text, bye.enhanced) if text else bye
    session.reply(bye)


@verb(ProtocolError)
async def protocol_error(session: Session, event: ProtocolError) -> None:
    """Exim's default log_selector passes over single mistakes; what ends the session is logged."""
    if event.problem is Problem.TOO_MANY_RECIPIENTS:
        _too_many_recipients(session)
    elif event.problem is Problem.TOO_BIG:
        line = f"rejected {event.line} {describe_host(session.origin)}: message too big"
        session.log_rejection(line)
    elif session.engine.is_closed:
        session.log_rejection(_why_dropped(event, sending_host(session.origin)))


def _too_many_recipients(session: Session) -> None:
    """The excess only; one line in the log for all of it."""
    transaction = session.transaction
    if transaction is None or transaction.has_too_many:
        return
    transaction.has_too_many = True
    session.log_rejection(
        f"too many recipients: excess temporarily rejected: sender=<{transaction.sender or ''}> "
        f"{describe_host(session.origin)}"
    )


def _why_dropped(event: ProtocolError, who: str) -> str:
    last = f'"{event.line}"'
    match event.problem:
        case Problem.UNKNOWN_COMMAND:
            return f"SMTP call from {who} dropped: too many unrecognized commands (last was {last})"
        case Problem.TOO_MANY_NONMAIL:
            return f"SMTP call from {who} dropped: too many nonmail commands (last was {last})"
        case Problem.SYNCHRONIZATION:
            return f"SMTP protocol synchronization error (next input sent too soon): rejected {last} H={who}"
        case Problem.INPUT_OVERFLOW:
            return f"SMTP call from {who} dropped: too much input before the reply"
        case _:
            return (
                f"SMTP call from {who} dropped: too many syntax or protocol errors (last command was {last})"
            )
