"""What routing did, step by step, for people: `-bt -d`, `-bh`. Who looks gives a list; nothing is worked out for anybody else.

routing bob@example.org
  local: skipped: domains: example.org is not in "+local_domains"
  aliases: redirected to carol@example.net, /var/mail/archive
routing carol@example.net, from bob@example.org by aliases
  dnslookup: accepted for remote_smtp, hosts: mx.example.net [192.0.2.1] MX=10
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.preconditions import Skip
from pillarbox.flow.route.result import (
    Assigned,
    Assignment,
    Declined,
    Discarded,
    Host,
    Passed,
    Postponed,
    Redirected,
    Refused,
    RouteResult,
)
from pillarbox.flow.route.router import Router
from pillarbox.flow.route.visit import Visit


class Met(NamedTuple):
    """An address at a router. `router` is empty for what is said of the address itself."""

    candidate: Candidate
    router: str
    said: str


Trace = list[Met]


def narrate(trace: Iterable[Met]) -> Iterator[str]:
    """Lines; each address has a heading, with what it comes from."""
    last: Candidate | None = None
    for candidate, router, said in trace:
        if candidate is not last:
            yield f"routing {candidate.address}{_descent(candidate)}"
            last = candidate
        yield f"  {router}: {said}" if router else f"  {said}"


def _descent(candidate: Candidate) -> str:
    steps: list[str] = []
    nearer = candidate.address
    for address, router in zip(candidate.parent_addresses, candidate.redirected_by, strict=True):
        how = "copied on" if address == nearer else f"from {address}"
        steps.append(f", {how} by {router or 'a filter'}")
        nearer = address
    return "".join(steps)


def describe(result: RouteResult | str, router: Router, visit: Visit) -> str:
    """One router's answer."""
    match result:
        case str():
            return f"skipped: {_why_skipped(result, router, visit)}"
        case Assigned(assignment=assignment, and_continue=and_continue):
            return f"accepted for {_delivery(assignment)}{_UNSEEN if and_continue else ''}"
        case Redirected(children=children, and_continue=and_continue):
            made = ", ".join(map(_child, children)) or "nothing"
            return f"redirected to {made}{_UNSEEN if and_continue else ''}"
        case Declined(why=why, message=message):
            reason = why or message
            return f"declined: {reason}" if reason else "declined"
        case Passed(to_router=to_router, message=message):
            return f"passed to {to_router or 'the next router'}" + (f": {message}" if message else "")
        case Discarded(word=word, and_continue=and_continue):
            return f"discarded ({word}){_UNSEEN if and_continue else ''}"
        case Refused(reason=reason):
            return f"failed: {reason.log}"
        case Postponed(reason=reason, detail=detail):
            return f"deferred: {reason.log}" + (f" ({detail})" if detail else "")


_UNSEEN = "; unseen, so a copy goes on"


def _delivery(assignment: Assignment) -> str:
    hosts = ", ".join(map(_host, assignment.hosts))
    return (assignment.transport or "verification") + (f", hosts: {hosts}" if hosts else "")


def _host(host: Host) -> str:
    addresses = "".join(f" [{address}]" for address in host.addresses)
    preference = "" if host.mx_preference is None else f" MX={host.mx_preference}"
    return f"{host.name}{addresses}{preference}{f' port={host.port}' if host.port else ''}"


def _child(child: Candidate | Assignment) -> str:
    if isinstance(child, Candidate):
        return child.address
    why = child.forbidden or child.trouble
    return f"{child.candidate.address} ({why})" if why else child.candidate.address


def _why_skipped(why: str, router: Router, visit: Visit) -> str:
    """With the values that decided. A precondition that is not named here says all there is to say by itself."""
    match why:
        case Skip.DOMAINS if router.domains is not None:
            return f'domains: {visit.domain} is not in "{router.domains.source}"'
        case Skip.LOCAL_PARTS if router.local_parts is not None:
            return f'local_parts: {visit.local_part} is not in "{router.local_parts.source}"'
        case Skip.SENDERS if router.senders is not None:
            return f'senders: {visit.sender or "<>"} is not in "{router.senders.source}"'
        case Skip.CONDITION if router.condition is not None:
            return f'condition: "{router.condition.source}" gave "{visit.seen}"'
        case Skip.PREFIX:
            return f'local_part_prefix: {visit.local_part} does not begin with "{router.local_part_prefix}"'
        case Skip.SUFFIX:
            return f'local_part_suffix: {visit.local_part} does not end with "{router.local_part_suffix}"'
        case Skip.LOGIN:
            return f"check_local_user: {visit.local_part} is not a login name"
        case Skip.ACCOUNT:
            return f"check_account: {visit.local_part}@{visit.domain} is not an account"
    return why
