"""RSET, NOOP, HELP, QUIT, and what the engine has answered already."""

from __future__ import annotations

from pillarbox.flow.accept.rejection import describe_host
from pillarbox.flow.accept.session import Session, verb
from pillarbox.mail.reply import Reply
from pillarbox.wire.smtp.events import Help, Noop, Problem, ProtocolError, Quit, Rset

OK = Reply(250, "OK", "2.0.0")
RESET = Reply(250, "Reset OK", "2.0.0")
COMMANDS = Reply(
    214,
    "Commands supported:\nAUTH BDAT DATA EHLO EXPN HELO HELP MAIL NOOP QUIT RCPT RSET STARTTLS VRFY",
    "2.0.0",
)
HARMLESS = frozenset({Problem.NOT_OFFERED, Problem.SEQUENCE, Problem.TOO_MANY_RECIPIENTS})
"""Not worth a line in the log."""


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
    session.reply(Reply(221, f"{session.policy.primary_hostname} closing connection", "2.0.0"))


@verb(ProtocolError)
async def protocol_error(session: Session, event: ProtocolError) -> None:
    if event.problem not in HARMLESS:
        line = f'SMTP {event.problem.value} from {describe_host(session.origin)} input="{event.line}"'
        session.services.journal.main(line)
        session.services.journal.reject(line)
