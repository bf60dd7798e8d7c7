"""How sessions end otherwise than by QUIT: what the peer still hears, what the log says, and `acl_smtp_notquit` (Exim 44.2.10, 53.15)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.flow.accept.acls import run_acl
from pillarbox.flow.accept.securing import log_failure
from pillarbox.flow.accept.verbs import HANDLERS
from pillarbox.flow.check.verdict import Accept, Defer, Verdict
from pillarbox.mail.interval import show_interval
from pillarbox.mail.reply import Reply
from pillarbox.ports.network import DialError
from pillarbox.wire.exim.log_line import connection, login, printable, security, smtp_connection
from pillarbox.wire.smtp.events import Closed, Need

if TYPE_CHECKING:
    from pillarbox.flow.accept.session import Session

_SHOWN_HISTORY = 20
_FULL_HISTORY = 40
LINES_OF_A_LOGIN = 8
"""More are not made up for a client that has gone in the middle of one."""


def took(session: Session) -> str:
    """`D=3s`."""
    style = session.services.log_style
    seconds = session.services.clock.monotonic() - session.began
    return f"D={seconds:.3f}s" if style.shows("millisec") else f"D={show_interval(seconds)}"


CUSTOMER = " (ODMR customer)"
"""Of a session that `-atrn` serves, in the log."""


def commands(session: Session) -> str:
    """`C=EHLO,MAIL,…`, with dots where there were more."""
    history = session.engine.history
    dots = "..." if len(history) > _SHOWN_HISTORY else ""
    return f"C={dots}{','.join(history[-_SHOWN_HISTORY:])}"


async def hung_up(session: Session) -> None:
    """The client has closed its side."""
    journal, style = session.services.journal, session.services.log_style
    if session.exchange is not None:
        await end_login(
            session,
        )
    if session.engine.is_reading_message:
        part = session.engine.message_part
        if session.engine.settings.has_socket:
            what = smtp_connection(session.origin, style)
        else:
            what = f"SMTP connection{connection(session.origin, style)} from {session.connection_name()}"
        where = f" ({part})" if part else ""
        mark = "" if part else f"{session.services.spool.new_id()} "  # from the body on a message has one
        journal.main(f"{mark}{what} lost while reading message data{where}")
        await session.last_reply(Reply(421, "Lost incoming connection", "4.4.2"))
        await not_quit(session, "connection-lost", "")
        return
    incomplete(session, "connection lost")
    text = f"{session.hostname} lost input connection"
    text = await not_quit(session, "connection-lost", text) or text
    if session.transaction is None:
        ended(session, "lost")
    elif style.shows("lost_incoming_connection"):
        what = "EOF" if session.local is not None else "disconnection"
        journal.main(f"unexpected {what} while reading SMTP command from {session.who()} {took(session)}")
    await session.last_reply(Reply(421, text, "4.4.2"))


async def lost(session: Session, error: DialError) -> None:
    """Nothing came, nothing could be written, or TLS failed."""
    if session.engine.is_closed:
        return
    who, journal = session.who(), session.services.journal
    is_data = session.engine.is_reading_message
    sender = session.transaction.sender if session.transaction is not None else None
    match error.error:
        case "timeout" if is_data:
            journal.main(
                f"SMTP data timeout (message abandoned) on connection from {who} F=<{printable(sender or '')}> {took(session)}"
            )
            reply = Reply(
                421, f"{session.hostname} SMTP incoming data timeout - closing connection.", "4.4.2"
            )
            await session.close_with(reply)
            await not_quit(session, "data-timeout", "")
        case "timeout":
            incomplete(session, "command timeout")
            if session.services.log_style.shows("lost_incoming_connection"):
                journal.main(f"SMTP command timeout on connection from {who} {took(session)}")
            text = f"{session.hostname}: SMTP command timeout - closing connection"
            text = await not_quit(session, "command-timeout", text) or text
            await session.close_with(Reply(421, text, "4.4.2"))
        case "tls":
            log_failure(session, error)
            ended(session, "closed by EOF")
            await not_quit(session, "tls-failed", "")
        case _ if is_data:
            journal.main(f"SMTP connection from {who} lost while reading message data: {error}")
            await not_quit(session, "connection-lost", "")
        case _:
            if session.exchange is not None:
                await end_login(
                    session,
                )
            if session.services.log_style.shows("lost_incoming_connection"):
                journal.main(f"SMTP connection lost from {who}: {error}")
            await not_quit(session, "connection-lost", "")


async def end_login(session: Session) -> None:
    """The client has gone in the middle of AUTH: what it said last counts as a line, and empty ones follow, so that the login fails,
    and is logged as those are that guessers see to their end."""
    for _ in range(LINES_OF_A_LOGIN):
        if session.exchange is None:
            return
        session.engine.receive(b"\r\n")
        event = session.engine.next_event()
        if isinstance(event, Need | Closed):
            return
        await HANDLERS[type(event)](session, event)


async def not_quit(session: Session, reason: str, text: str) -> str:
    """Ask `acl_smtp_notquit`; what it wants to say in place of `text`. Once a session."""
    if "notquit" not in session.policy.acls or session.live.notquit_reason:
        return ""
    session.live.notquit_reason = reason
    try:
        verdict = await run_acl(session, "notquit", session.new_scope())
    except Exception as error:  # it is over anyway
        session.services.journal.panic(f"ACL for not-QUIT returned ERROR: {error}")
        return ""
    tell_failure(session, "not-QUIT", verdict)
    said = verdict.text if isinstance(verdict, Accept) else verdict.reason.peer
    return said if text else ""


def tell_failure(session: Session, what: str, verdict: Verdict) -> None:
    """It is over in any case, so a statement that denies is a mistake of the configuration."""
    if isinstance(verdict, Defer) and verdict.is_mistake:
        session.services.journal.panic(f"ACL for {what} returned ERROR: {verdict.reason.log}")


def incomplete(session: Session, what: str) -> None:
    """`smtp_incomplete_transaction`: MAIL was said, and no message came."""
    transaction = session.transaction
    if transaction is None or not session.services.log_style.shows("smtp_incomplete_transaction"):
        return
    recipients = [f" {printable(each.address)}" for each in transaction.recipients[:100]]
    session.services.journal.main(
        f"{session.described()} incomplete transaction ({what}) from <{printable(transaction.sender or '')}>"
        f"{' for' if recipients else ''}{''.join(recipients)}"
    )


def ended(session: Session, how: str) -> None:
    """The lines of `smtp_connection` and `smtp_no_mail`. `how`: `closed by QUIT`, `lost D=…`."""
    journal, style, origin = session.services.journal, session.services.log_style, session.origin
    if style.shows("smtp_connection") and session.is_logged and how:
        role = CUSTOMER if session.is_customer else ""
        who = f"{connection(origin, style)} from {session.connection_name(is_known=True)}{role}"
        journal.main(
            f"SMTP connection{who} {how} {took(session)}"
            if how == "lost"
            else f"SMTP connection{who} {took(session)} {how}"
        )
    if style.shows("smtp_no_mail") and not session.messages and "MAIL" not in session.engine.history:
        history = session.engine.history
        dots = "..." if len(history) >= _FULL_HISTORY else ""
        said = f" C={dots}{','.join(history)}" if history else ""
        about = f"{took(session)}{login(origin)}{security(origin, style)}{said}"
        journal.main(f"no MAIL in SMTP connection from {session.who()} {about}")
