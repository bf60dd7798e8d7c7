"""The environment of a pipe's command (Exim 29.4): these variables, what `environment` adds, and nothing of our own.

A name that is given twice has its last value. What has no name, or no `=`, is left out: programs could not read it.
"""

from __future__ import annotations

from collections.abc import Iterable

from pillarbox.flow.route.result import Assignment
from pillarbox.flow.transport.job import Job
from pillarbox.flow.transport.services import TransportServices

_SHELL = "/bin/sh"


def environment_of(
    job: Job, sender: str | None, home: str, path: str, services: TransportServices
) -> list[tuple[str, str]]:
    """In Exim's order."""
    first = job.assignments[0]
    local_part, prefix, suffix, recipient = _names(first)
    domain = first.domain
    if len(job.assignments) > 1:
        same = all(assignment.domain == domain for assignment in job.assignments)
        domain = domain if same else ""
        local_part, prefix, suffix, recipient = "", "", "", f"@{domain}"
    variables = [
        ("LOCAL_PART", local_part),
        ("LOGNAME", local_part),
        ("USER", local_part),
        ("LOCAL_PART_PREFIX", prefix),
        ("LOCAL_PART_SUFFIX", suffix),
        ("DOMAIN", domain),
        ("HOME", home),
        ("MESSAGE_ID", job.envelope.id),
        ("PATH", path),
        ("RECIPIENT", recipient),
        ("QUALIFY_DOMAIN", services.qualify_domain),
        ("SENDER", sender or ""),
        ("SHELL", _SHELL),
    ]
    host = first.host_data or ":".join(one.name for one in first.hosts)
    if host:
        variables.append(("HOST", host))
    if services.timezone:
        variables.append(("TZ", services.timezone))
    return variables


def _names(assignment: Assignment) -> tuple[str, str, str, str]:
    """LOCAL_PART, its affixes, RECIPIENT: for a redirected pipe those of the address that was redirected."""
    local_part = assignment.bare_local_part
    prefix, suffix = assignment.local_part_prefix, assignment.local_part_suffix
    return local_part, prefix, suffix, f"{prefix}{local_part}{suffix}@{assignment.domain}"


def more_variables(settings: Iterable[str]) -> list[tuple[str, str]]:
    """Of `name=value` items."""
    parts = (setting.partition("=") for setting in settings)
    return [(name, value) for name, equals, value in parts if name and equals]
