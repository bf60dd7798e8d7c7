"""Domains whose mail waits by configuration: `hold_domains`, `queue_domains`, `queue_smtp_domains` (Exim chapter 14).

Held mail waits until somebody forces its delivery; queued mail waits for the next queue run. Neither touches the retry hints.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Assignment
from pillarbox.flow.transport.job import SKIPPED
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope, Services, replay
from pillarbox.language.match.domains import DomainList
from pillarbox.mail.outcome import Deferred, Outcome
from pillarbox.mail.reply import Reason
from pillarbox.ports.spool import Queued

HELD = "domain is held"
QUEUED = "domain is in queue_domains"
ONLY_ROUTED = "first-pass only routing due to -odqs, queue_smtp_domains or control=queue"
BY_ROUTING = "queued"
"""`Deferred.error` of what is left alone before it is routed (`routing defer`)."""
SUPPRESSED = "local_only"
"""And of what a queue run leaves out that delivers on this machine alone (`-ql`)."""
_EARLY = frozenset({SKIPPED, BY_ROUTING, SUPPRESSED})


class Lists(msgspec.Struct, frozen=True, kw_only=True):
    """The options."""

    hold: DomainList | None = None
    queue: DomainList | None = None
    queue_smtp: DomainList | None = None


class Holding:
    """Leaves out what must wait."""

    __slots__ = ("_is_remote", "_lists", "_services")

    def __init__(self, lists: Lists, services: Services, is_remote: Callable[[str], bool]) -> None:
        """`is_remote`: whether the transport of that name speaks SMTP or LMTP to a host."""
        self._lists = lists
        self._services = services
        self._is_remote = is_remote

    async def before_routing(
        self,
        queued: Queued,
        candidates: Sequence[Candidate],
        outcomes: list[Outcome],
        *,
        is_first: bool,
        is_forced: bool,
    ) -> list[Candidate]:
        """Those that may be routed; the others go to `outcomes`."""
        if is_forced:
            return list(candidates)
        left: list[Candidate] = []
        held: list[Outcome] = []
        for candidate in candidates:
            why, error = await self._why(queued, candidate.domain, is_first=is_first)
            if not why:
                left.append(candidate)
                continue
            held.append(
                Deferred(
                    address=candidate.address,
                    recipient=candidate.recipient.address,
                    reason=Reason(why),
                    error=error,
                )
            )
        outcomes.extend(reversed(held))  # as Exim tells of them: the last one first
        return left

    async def _why(self, queued: Queued, domain: str, *, is_first: bool) -> tuple[str, str]:
        """The reason to wait, and the outcome's error; empty: none. A list that cannot be searched holds what it might hold."""
        for domains, why, error in (
            (self._lists.hold, HELD, ""),
            (self._lists.queue if is_first else None, QUEUED, BY_ROUTING),
        ):
            if domains is None:
                continue
            try:
                if await self._matches(domains, domain, queued):
                    return why, error
            except (ExpansionFailed, ExpansionDeferred) as trouble:
                return str(trouble), error
        return "", ""

    async def after_routing(
        self,
        queued: Queued,
        assignments: Sequence[Assignment],
        outcomes: list[Outcome],
        *,
        is_first: bool,
        is_forced: bool = False,
    ) -> list[Assignment]:
        """Those that may be carried in this attempt; the others go to `outcomes`."""
        if not is_forced:
            assignments = await self._without_held_children(queued, assignments, outcomes, is_first=is_first)
        domains = self._lists.queue_smtp
        if domains is None or not is_first:
            return list(assignments)
        left: list[Assignment] = []
        for assignment in assignments:
            if not self._is_remote(assignment.transport):
                left.append(assignment)
                continue
            why = ONLY_ROUTED
            try:
                if not await self._matches(domains, assignment.domain, queued):
                    left.append(assignment)
                    continue
            except (ExpansionFailed, ExpansionDeferred) as trouble:
                why = str(trouble)
            outcomes.append(waiting(assignment, why))
        return left

    async def _without_held_children(
        self,
        queued: Queued,
        assignments: Sequence[Assignment],
        outcomes: list[Outcome],
        *,
        is_first: bool,
    ) -> list[Assignment]:
        """What redirection has led into domains that wait."""
        left: list[Assignment] = []
        for assignment in assignments:
            is_child = assignment.address != assignment.candidate.recipient.address
            why, error = (
                await self._why(queued, assignment.domain, is_first=is_first) if is_child else ("", "")
            )
            if not why:
                left.append(assignment)
                continue
            held = waiting(assignment, why, error=error)
            outcomes.append(msgspec.structs.replace(held, router="", transport=""))
        return left

    async def _matches(self, domains: DomainList, domain: str, queued: Queued) -> bool:
        facts = MessageFacts.of(queued.envelope, queued.message)
        scope = Scope({MessageFacts: facts}, self._services)
        return bool(await replay(scope, lambda run: domains.matches_now(domain, run)))


def is_early(outcome: Outcome) -> bool:
    """Nothing was tried: the main log tells when `retry_defer` is on, the message's own log tells the first time."""
    return isinstance(outcome, Deferred) and outcome.error in _EARLY


def waiting(assignment: Assignment, why: str, *, error: str = "", is_unlogged: bool = False) -> Deferred:
    """What a later attempt carries; no retry hint has to do with it."""
    return Deferred(
        address=assignment.address,
        recipient=assignment.candidate.recipient.address,
        also_for=assignment.also_for,
        parents=assignment.candidate.parent_addresses[:-1],
        done_name=assignment.done_name,
        router=assignment.router,
        transport=assignment.transport,
        reason=Reason(why),
        error=error,
        is_unlogged=is_unlogged,
    )
