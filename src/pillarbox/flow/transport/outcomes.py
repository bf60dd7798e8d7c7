"""Outcomes of an assignment: the facts that all three kinds share are filled in here, once."""

from __future__ import annotations

from collections.abc import Callable

from pillarbox.flow.route.result import Assignment
from pillarbox.flow.transport.job import Job
from pillarbox.mail.outcome import CLEAR, Deferred, Delivered, Failed, Outcome, RemoteHost, Security
from pillarbox.mail.reply import Reason, Reply


def delivered(
    assignment: Assignment,
    *,
    path: str = "",
    log_word: str = "",
    host: RemoteHost | None = None,
    reply: Reply | None = None,
    security: Security = CLEAR,
    is_reused: bool = False,
    chunking: bool = False,
    is_prdr: bool = False,
    signers: str = "",
    pipelining: str = "",
    return_path: str | None = None,
    size: int = 0,
    interface: tuple[str, int] = ("", 0),
    startup: str = "",
    is_additional: bool = False,
    is_dsn_passed_on: bool = False,
    elapsed: float = 0.0,
) -> Delivered:
    candidate = assignment.candidate
    return Delivered(
        address=candidate.address,
        recipient=candidate.recipient.address,
        parents=intermediate(assignment),
        done_name=assignment.done_name,
        router=assignment.router,
        transport=assignment.transport,
        path=path,
        log_word=log_word or (_without_affixes(assignment) if host is None else word_of(assignment)),
        host=host,
        host_list="" if host is not None else _hosts_of(assignment),
        reply=reply,
        security=security,
        is_reused=is_reused,
        chunking=chunking,
        is_prdr=is_prdr,
        signers=signers,
        pipelining=pipelining,
        return_path=return_path,
        size=size,
        interface=interface,
        startup=startup,
        is_additional=is_additional,
        is_dsn_passed_on=is_dsn_passed_on,
        elapsed=elapsed,
    )


def _hosts_of(assignment: Assignment) -> str:
    """As `$host` of a local transport is."""
    return assignment.host_data or (assignment.hosts[0].name if assignment.hosts else "")


def deferred(
    assignment: Assignment,
    reason: Reason,
    *,
    error: str = "",
    error_detail: str = "",
    is_by_mx: bool = False,
    retry_keys: tuple[str, ...] = (),
    host: RemoteHost | None = None,
    reply: Reply | None = None,
    security: Security = CLEAR,
    is_reused: bool = False,
    interface: tuple[str, int] = ("", 0),
    elapsed: float = 0.0,
    is_frozen: bool = False,
    is_panic: bool = False,
    host_trouble: str | None = None,
) -> Deferred:
    candidate = assignment.candidate
    return Deferred(
        address=candidate.address,
        log_word=word_of(assignment),
        recipient=candidate.recipient.address,
        parents=intermediate(assignment),
        done_name=assignment.done_name,
        router=assignment.router,
        transport=assignment.transport,
        also_for=assignment.also_for,
        is_frozen=is_frozen,
        is_panic=is_panic,
        host_trouble=host_trouble,
        reason=reason,
        error=error,
        error_detail=error_detail,
        is_by_mx=is_by_mx,
        retry_keys=retry_keys,
        host=host,
        reply=reply,
        security=security,
        is_reused=is_reused,
        interface=interface,
        elapsed=elapsed,
    )


def failed(
    assignment: Assignment,
    reason: Reason,
    *,
    host: RemoteHost | None = None,
    reply: Reply | None = None,
    security: Security = CLEAR,
    is_reused: bool = False,
    return_path: str | None = None,
    is_dsn_passed_on: bool = False,
    output: bytes = b"",
    interface: tuple[str, int] = ("", 0),
    startup: str = "",
    host_trouble: str | None = None,
) -> Failed:
    candidate = assignment.candidate
    return Failed(
        address=candidate.address,
        log_word=word_of(assignment),
        recipient=candidate.recipient.address,
        parents=intermediate(assignment),
        done_name=assignment.done_name,
        router=assignment.router,
        transport=assignment.transport,
        output=output,
        reason=reason,
        host=host,
        reply=reply,
        security=security,
        is_reused=is_reused,
        return_path=return_path,
        is_dsn_passed_on=is_dsn_passed_on,
        interface=interface,
        startup=startup,
        host_trouble=host_trouble,
    )


def defer_all(
    job: Job,
    reason: Reason,
    *,
    key_of: Callable[[Assignment], str] | None = None,
    is_panic: bool = False,
    error: str = "",
) -> list[Outcome]:
    """The same deferral for every address of the job. `key_of`: under which key its retry time is kept; None: there is none."""
    return [
        deferred(
            one,
            reason,
            retry_keys=(key_of(one),) if key_of is not None else (),
            is_panic=is_panic,
            error=error,
        )
        for one in job.assignments
    ]


def fail_all(job: Job, reason: Reason) -> list[Outcome]:
    """The same failure for every address of the job."""
    return [failed(assignment, reason) for assignment in job.assignments]


def intermediate(assignment: Assignment) -> tuple[str, ...]:
    """Addresses between the final one and the envelope's recipient, nearest first."""
    parents = assignment.candidate.parents
    return tuple(p.address for p in parents[:-1]) if len(parents) > 1 else ()


def redirected_word(assignment: Assignment) -> str:
    """How the log names what redirection made of an address: `|command`, a path, `>address`; empty for an address."""
    if assignment.target == "pipe":
        return f"|{assignment.file}"
    if assignment.target in ("file", "directory") and not assignment.file.startswith("/"):
        return f"save {assignment.file}"
    return assignment.file


def caseful_word(assignment: Assignment) -> str:
    """The local part where its case counts (`caseful_local_part`); empty elsewhere."""
    is_caseful = assignment.bare_local_part != assignment.candidate.local_part
    return assignment.bare_local_part if is_caseful else ""


def word_of(assignment: Assignment) -> str:
    """The address as the log names it: without what a router took off its local part, and without quotes then; as routers saw it where
    it came with capitals. Empty: as it is."""
    candidate = assignment.candidate
    word = _without_affixes(assignment)
    if word or candidate.address == candidate.address.lower():
        return word
    return f"{caseful_word(assignment) or candidate.local_part}@{assignment.domain}"


def _without_affixes(assignment: Assignment) -> str:
    """What local deliveries are told by; their own local part when empty."""
    has_affix = assignment.local_part_prefix or assignment.local_part_suffix
    if assignment.file or not has_affix:
        return redirected_word(assignment)
    return f"{assignment.bare_local_part}@{assignment.domain}"
