"""What has come of an address at one host: an outcome of what the host has said of it, or of the trouble there was with the host."""

from __future__ import annotations

from pillarbox.flow.route.result import Assignment
from pillarbox.flow.transport.attempt.session import Session
from pillarbox.flow.transport.attempt.target import Target
from pillarbox.flow.transport.attempt.transaction import Carried, Verdict
from pillarbox.flow.transport.attempt.trouble import Trouble
from pillarbox.flow.transport.outcomes import deferred, delivered, failed
from pillarbox.mail.outcome import CLEAR, Deferred, Delivered, Failed
from pillarbox.mail.reply import Reason


def taken(
    assignment: Assignment,
    verdict: Verdict,
    session: Session,
    carried: Carried,
    *,
    startup: str,
    is_additional: bool,
    elapsed: float,
) -> Delivered:
    """`startup`: as `startup_of` says, for the first address. `elapsed`: seconds that the job has taken so far."""
    return delivered(
        assignment,
        host=session.target.remote,
        reply=verdict.reply,
        security=session.security,
        is_reused=session.messages > 1,
        chunking=carried.is_chunked,
        is_prdr=carried.is_prdr,
        signers=carried.signers,
        pipelining=session.pipelining,
        return_path=carried.sender,
        size=session.engine.content_size,
        interface=session.local_address,
        startup=startup,
        is_additional=is_additional,
        is_dsn_passed_on=session.engine.extensions.dsn,
        elapsed=elapsed,
    )


def refused(
    assignment: Assignment, verdict: Verdict, session: Session, carried: Carried, *, startup: str
) -> Failed:
    """For good."""
    return failed(
        assignment,
        Reason(verdict.text, verdict.text),
        host=session.target.remote,
        reply=verdict.reply,
        security=session.security,
        is_reused=session.messages > 1,
        return_path=carried.sender,
        is_dsn_passed_on=session.engine.extensions.dsn,
        interface=session.local_address,
        startup=startup,
    )


def put_off(assignment: Assignment, verdict: Verdict, session: Session, *, elapsed: float) -> Deferred:
    """With a 4xx."""
    return deferred(
        assignment,
        Reason(verdict.text, verdict.text),
        host=session.target.remote,
        reply=verdict.reply,
        security=session.security,
        is_reused=session.messages > 1,
        interface=session.local_address,
        error=verdict.error,
        error_detail=str(verdict.reply.code),
        is_by_mx=session.target.mx_preference is not None,
        elapsed=elapsed,
    )


def failed_by(
    trouble: Trouble,
    assignment: Assignment,
    target: Target,
    session: Session | None,
    *,
    return_path: str,
    startup: str,
) -> Failed:
    """`session`: as far as there was one. No host is named where DANE was not kept: none was fit to be asked."""
    is_dane = trouble.error == "dane"
    return failed(
        assignment,
        Reason(trouble.text, "" if is_dane else trouble.text),
        host=None if is_dane else target.remote,
        reply=trouble.reply,
        security=session.security if session else trouble.security,
        is_reused=session is not None and session.messages > 1,
        return_path=return_path,
        interface=session.local_address if session else trouble.interface,
        startup=startup,
        host_trouble=trouble.text if trouble.tries_next else None,
    )


def deferred_by(
    trouble: Trouble, assignment: Assignment, target: Target, session: Session | None, *, elapsed: float
) -> Deferred:
    """The sender is told what the host has said, and nothing of other trouble."""
    return deferred(
        assignment,
        Reason(trouble.text, trouble.text if trouble.reply is not None else ""),
        host=target.remote,
        reply=trouble.reply,
        security=session.security if session is not None else CLEAR,
        is_reused=session is not None and session.messages > 1,
        interface=session.local_address if session is not None else trouble.interface,
        error=trouble.error,
        error_detail=trouble.error_detail or target.error_detail,
        is_by_mx=target.mx_preference is not None,
        elapsed=elapsed,
        host_trouble=_told_of_host(trouble),
    )


def _told_of_host(trouble: Trouble) -> str | None:
    if trouble.recipient >= 0 or trouble.error == "auth_failed":
        return ""
    return f"{trouble.text}: {trouble.os_error}" if trouble.os_error else None


def startup_of(session: Session) -> str:
    """The steps it began with, for the first address of its first message."""
    return session.startup if session.messages <= 1 else ""
