"""What the engine has refused by itself: what of it the log tells (Exim 53.15, smtp_syntax_error and smtp_protocol_error)."""

from __future__ import annotations

from pillarbox.flow.accept.events import tell
from pillarbox.flow.accept.failed_login import log_failed_login
from pillarbox.flow.accept.listening import tell_lists
from pillarbox.flow.accept.parting import commands, ended, incomplete, not_quit
from pillarbox.flow.accept.refusing import log_rejection
from pillarbox.flow.accept.rejection import rejected_message
from pillarbox.flow.accept.securing import log_failure
from pillarbox.flow.accept.session import Session
from pillarbox.flow.accept.verbs import verb
from pillarbox.ports.network import DialError
from pillarbox.wire.exim.log_line import printable
from pillarbox.wire.smtp.events import Problem, ProtocolError
from pillarbox.wire.smtp.order import ALREADY_SECURE, BAD_BDAT, TOO_MANY_ERRORS

SHOWN_INPUT = 128
_ENDS = frozenset({Problem.TOO_MANY_NONMAIL, Problem.SYNCHRONIZATION, Problem.INPUT_OVERFLOW})
"""These have lines of their own."""


@verb(ProtocolError)
async def protocol_error(session: Session, event: ProtocolError) -> None:
    """Single mistakes are logged where `log_selector` asks for it; what ends the session always is."""
    if event.line[:5].upper() == "RCPT ":
        session.live.rcpt_count += 1
        session.live.note_refused_rcpt(event.reply.code)
    if event.line[:4].upper() == "AUTH":
        session.live.authentication_failed = 1
    match event.problem:
        case Problem.TOO_MANY_RECIPIENTS:
            _too_many_recipients(session)
        case Problem.TOO_BIG:
            _too_big(session, event)
        case Problem.BAD_BASE64:
            await log_failed_login(session, event.line, event.reply)
        case _ if session.exchange is not None:  # a line that is none, in the middle of AUTH
            await log_failed_login(session, "", event.reply)
        case _ if event.reply is ALREADY_SECURE:
            log_failure(session, DialError("tls", "(STARTTLS received after TLS started): "))
        case _:
            await _tell(session, event)
    if session.engine.is_closed:
        why = _why_dropped(event, session)
        session.has_given_up = "too many unrecognized" not in why
        reason = "bad-command-synprot" if TOO_MANY_ERRORS.lower() in why else "bad-commands"
        is_silent = event.problem is Problem.NUL
        is_sync = event.problem is Problem.SYNCHRONIZATION
        if is_sync or event.problem is Problem.TOO_MANY_NONMAIL:
            incomplete(session, "sync failure" if is_sync else "too many non-mail commands")
        elif event.problem is Problem.UNKNOWN_COMMAND and "unrecognized" in why:
            incomplete(session, "unrecognized command")
        if not is_silent:
            await not_quit(session, "synchronization-error" if is_sync else reason, "")
        log_rejection(session, why, _unfinished(session))
        ended(session, "")


def _unfinished(session: Session) -> str:
    """For rejectlog: the envelope of a message that has come in part (BDAT)."""
    transaction = session.transaction
    if transaction is None or not transaction.is_chunked:
        return ""
    style = session.services.log_style
    return rejected_message(style, transaction.sender, transaction.recipients, b"").rstrip("\n")


async def _tell(session: Session, event: ProtocolError) -> None:
    line, reply = event.line, event.reply
    verb_name = line.partition(" ")[0].upper()
    if verb_name in ("HELO", "EHLO") and event.problem is Problem.SYNTAX:
        argument = line.partition(" ")[2].strip() or "(no argument given)"
        log_rejection(
            session,
            f"rejected {verb_name} from {session.who()}: syntactically invalid argument(s): {printable(argument)}",
        )
        return
    if verb_name == "MAIL" and event.problem is Problem.SEQUENCE and reply.text.startswith("HELO"):
        await tell_lists(session, "hosts_require_helo")
        log_rejection(session, f"rejected MAIL from {session.who()}: no HELO/EHLO given")
    is_protocol = event.problem in (Problem.SEQUENCE, Problem.NOT_OFFERED)
    is_logged = session.services.log_style.shows(
        "smtp_protocol_error" if is_protocol else "smtp_syntax_error"
    )
    if not is_logged and session.services.main_action is None:
        return
    if event.is_expected or event.problem in _ENDS or reply.text.rsplit("\n", 1)[-1].startswith("Valid RCPT"):
        return
    kind = "protocol" if is_protocol else "syntax"
    said = reply.text.removesuffix(f"\n{TOO_MANY_ERRORS}")
    text = event.detail or (said.rpartition("\n")[2] if reply.code == 503 else said.partition("\n")[0])
    await tell(session, f"smtp:fail:{kind}", text)
    if is_logged:
        shown = printable(line.rstrip(" \t")).replace('"', '\\"')
        session.services.journal.main(f'SMTP {kind} error in "{shown}" {session.described()} {text}')


def log_unqualified(session: Session, what: str, address: str) -> None:
    """An address without a domain where the client may not leave it out. `what`: `sender`, `recipient`, `verify`."""
    if session.services.log_style.shows("smtp_syntax_error"):
        why = f" ({session.client.why})" if session.client.has_failed and session.client.why else ""
        log_rejection(session, f"unqualified {what} rejected: <{address}> {session.described()}{why}")


def _too_many_recipients(session: Session) -> None:
    """The excess only; one line in the log for all of it."""
    transaction = session.transaction
    if transaction is None or transaction.has_too_many:
        return
    transaction.has_too_many = True
    what = "message rejected" if session.policy.recipients_max_reject else "excess temporarily rejected"
    log_rejection(
        session, f"too many recipients: {what}: sender=<{transaction.sender or ''}> {session.described()}"
    )


def _too_big(session: Session, event: ProtocolError) -> None:
    if not session.services.log_style.shows("size_reject"):
        return
    path, _, parameters = event.line.partition(">")
    found = [word[5:] for word in parameters.split() if word[:5].upper() == "SIZE="]
    limit = session.engine.size_limit
    size = found[-1] if found else ""
    is_huge = size[:1] == "-" or (size.isdigit() and int(size) >= 2**31)
    shown = f"size>={2**31 - 1}" if is_huge else f"size={size}"
    log_rejection(session, f"rejected {path}> {session.described()}: message too big: {shown} max={limit}")


def _why_dropped(event: ProtocolError, session: Session) -> str:
    line = event.line.rstrip(" \t")
    who, last = session.who(), f'"{printable(line)}"'
    verb = f'"{printable(event.line.partition(" ")[0])}"'
    match event.problem:
        case Problem.UNKNOWN_COMMAND if event.reply.text.startswith("Too many unrec"):
            return f"SMTP call from {who} dropped: too many unrecognized commands (last was {last})"
        case Problem.TOO_MANY_NONMAIL:
            return f"SMTP call from {who} dropped: too many nonmail commands (last was {verb})"
        case Problem.SYNCHRONIZATION:
            return _why_not_synchronized(event, session)
        case Problem.SEQUENCE if event.reply is BAD_BDAT:
            return f"SMTP call from {who} dropped: no telling where BDAT ends (last command was {last})"
        case Problem.INPUT_OVERFLOW:
            return f"SMTP call from {who} dropped: too much input before the reply"
        case _:
            history = f",  {commands(session)}" if session.engine.history else ", NULL"
            return f"SMTP call from {who} dropped: too many syntax or protocol errors (last command was {last}{history})"


def _why_not_synchronized(event: ProtocolError, session: Session) -> str:
    engine, who = session.engine, session.who()
    early = engine.too_early
    shown = printable(early[:SHOWN_INPUT].decode("latin-1"))
    line = event.line or engine.line
    if not engine.history and not line:
        return (
            "SMTP protocol synchronization error (input sent without waiting for greeting): "
            f'rejected connection from H={who} input="{shown}"'
        )
    was = "was" if engine.is_pipelining_offered else "was not"
    return (
        f"SMTP protocol synchronization error (next input sent too soon: pipelining {was} advertised): "
        f'rejected "{printable(line)}" H={who} next input="{shown}" ({len(early)} bytes)'
    )
