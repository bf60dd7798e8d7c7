"""From assignments to jobs: which addresses travel together.

Addresses go in one copy when transport, hosts, errors_to, header changes and everything else the transport may expand are the same
(Exim 49.1), at most `max_rcpt` in one transaction. A job makes several of these, one after another over one connection, when there are
more of them than jobs may run side by side. A local transport takes one address at a time unless its `batch_max` says more (Exim chapter 25).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from pillarbox.flow.route.result import Assignment, Host
from pillarbox.flow.transport.job import Job
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.message import Message

_HostKey = tuple[tuple[str, tuple[str, ...], int, int | None], ...]


class Limited(NamedTuple):
    """A batch with a limit of its own: `max_rcpt` that was expanded."""

    domain: str
    """Empty: addresses of several domains may share a job."""
    most: int


def plan_jobs(
    envelope: Envelope,
    message: Message,
    assignments: Sequence[Assignment],
    max_rcpt: Callable[[str], int],
    *,
    in_one_job: Callable[[str, int], int] = lambda _, most: most,
    batches: Sequence[object] = (),
    is_repeat: bool = False,
    is_forced: bool = False,
) -> list[Job]:
    """Jobs in the order of their first address. `max_rcpt(transport name)`: 1: each by itself, 0: no limit. `batches`, one for each
    assignment: only those with equal ones share a job. `in_one_job(transport name, max_rcpt)`: how many addresses it may have."""
    groups: dict[object, list[Assignment]] = {}
    jobs: list[Job] = []
    order: list[object] = []
    for number, assignment in enumerate(assignments):
        if in_one_job(assignment.transport, max_rcpt(assignment.transport)) == 1:
            key: object = id(assignment)
        else:
            key = (_travels_with(assignment), batches[number] if batches else None)
        if key not in groups:
            order.append(key)
        groups.setdefault(key, []).append(assignment)
    for key in order:
        batch = key[1] if isinstance(key, tuple) else None
        name = groups[key][0].transport
        most = batch.most if isinstance(batch, Limited) else max_rcpt(name)
        parts = _cut(groups[key], in_one_job(name, most))
        jobs.extend(Job(envelope, message, part, is_repeat, is_forced, most) for part in parts)
    return jobs


def with_followers(jobs: Sequence[Job]) -> list[Job]:
    """Those that come one after another know whether one behind them goes to the same hosts by the same transport."""
    ways = [(job.assignments[0].transport, _host_key(job.assignments[0].hosts)) for job in jobs]
    return [replace(job, is_followed=ways[place] in ways[place + 1 :]) for place, job in enumerate(jobs)]


def _cut(group: list[Assignment], limit: int) -> list[tuple[Assignment, ...]]:
    step = limit if limit > 0 else len(group)
    return [tuple(group[start : start + step]) for start in range(0, len(group), step)]


def _travels_with(assignment: Assignment) -> object:
    """Equal for addresses that may share one copy."""
    return (
        assignment.transport,
        _host_key(assignment.hosts),
        assignment.errors_to,
        assignment.headers_add,
        assignment.headers_remove,
        assignment.address_data,
        assignment.file,
        assignment.reply,
    )


def _host_key(hosts: tuple[Host, ...]) -> _HostKey:
    """The order of hosts with one MX preference does not matter (Exim 49.1): they are shuffled at every look-up."""
    key = [(h.name, h.addresses, h.port, h.mx_preference) for h in hosts]
    if all(h.mx_preference is not None for h in hosts):
        key.sort(key=lambda host: (host[3] or 0, host[0]))
    return tuple(key)
