"""One attempt at one message: route what is not settled, carry it, settle it.

    Queued → candidates → routed → jobs → outcomes → Settlement

The first attempt runs the routers and tries local deliveries whatever the retry hints say; later ones leave alone what is not due
(Exim 32, "When a delivery is not part of a queue run"). The message is held by this process all the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from pillarbox.flow.queue.notices import recipients_of
from pillarbox.flow.queue.retry import Retries
from pillarbox.flow.queue.settle import Settlement, Settler
from pillarbox.flow.route.candidate import Candidate, Purpose
from pillarbox.flow.route.result import Assignment, Routed
from pillarbox.flow.transport.job import SKIPPED
from pillarbox.flow.transport.run import Transports
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.message import Message
from pillarbox.mail.outcome import Deferred, Delivered, Failed, Outcome
from pillarbox.mail.reply import Reason
from pillarbox.ports.clock import Clock
from pillarbox.ports.spool import Queued


class RouterChain(Protocol):
    """The routers, as delivery sees them."""

    async def route_for_delivery(
        self, candidates: Sequence[Candidate], envelope: Envelope, message: Message
    ) -> list[Routed]:
        """One answer for each candidate, after all redirection and without duplicates."""
        ...


class Urgency(msgspec.Struct, frozen=True, gc=False):
    """How to treat retry times."""

    is_first: bool = False
    """Straight after acceptance: routers run, local deliveries are tried, hosts keep their retry times."""
    is_forced: bool = False
    """`-qf`, `-M`: no retry time counts."""


FIRST = Urgency(is_first=True)
AGAIN = Urgency()
FORCED = Urgency(is_forced=True)
_PURPOSE: Purpose = "deliver"


class Delivery:
    """Attempts deliveries."""

    __slots__ = ("_chain", "_clock", "_retries", "_settler", "_transports")

    def __init__(
        self, chain: RouterChain, transports: Transports, retries: Retries, settler: Settler, clock: Clock
    ) -> None:
        self._chain = chain
        self._transports = transports
        self._retries = retries
        self._settler = settler
        self._clock = clock

    async def attempt(self, queued: Queued, urgency: Urgency) -> Settlement:
        """Try all that is due. Ordinary trouble is in the outcomes; an exception is a fault of ours, and nothing was recorded."""
        outcomes, errors_to = await self._outcomes(queued, urgency)
        if not urgency.is_first and self._is_overdue(queued, outcomes):
            outcomes, errors_to = await self._outcomes(queued, FORCED)
        return await self._settler.settle(queued, outcomes, errors_to)

    def _is_overdue(self, queued: Queued, outcomes: list[Outcome]) -> bool:
        """Nothing was tried, and the message is older than a rule allows: one last try, now (Exim 32.11)."""
        age = self._clock.now() - queued.envelope.received_at
        sender = queued.envelope.sender
        skipped = [o for o in outcomes if isinstance(o, Deferred) and o.error == SKIPPED]
        return len(skipped) == len(outcomes) and any(
            0 < self._retries.cutoff_of(key, each, sender) < age
            for each in skipped
            for key in each.retry_keys
        )

    async def _outcomes(self, queued: Queued, urgency: Urgency) -> tuple[list[Outcome], dict[str, str]]:
        """What became of every address that is not settled, and where failures of redirected ones are reported."""
        outcomes: list[Outcome] = []
        errors_to: dict[str, str] = {}
        candidates = self._candidates(queued, urgency, outcomes)
        assignments: list[Assignment] = []
        if candidates:
            for routed in await self._chain.route_for_delivery(candidates, queued.envelope, queued.message):
                assignments.extend(routed.assignments)
                if routed.refused or routed.postponed or routed.discarded:
                    outcomes.extend(_routing_outcomes(routed, errors_to))
        assignments = self._due_assignments(queued, assignments, urgency, outcomes, errors_to)
        if assignments:
            outcomes.extend(
                await self._transports.run(
                    queued.envelope,
                    queued.message,
                    assignments,
                    is_repeat=not urgency.is_first,
                    is_forced=urgency.is_forced,
                )
            )
        return outcomes, errors_to

    async def give_up(self, queued: Queued, why: str) -> Settlement:
        """Fail every address that is left (`-Mg`, `timeout_frozen_after`)."""
        reason = Reason(why, why)
        left = [a for a in recipients_of(queued) if a not in queued.progress.settled]
        outcomes = [Failed(address=address, recipient=address, reason=reason) for address in left]
        return await self._settler.settle(queued, outcomes, {})

    def _candidates(self, queued: Queued, urgency: Urgency, outcomes: list[Outcome]) -> list[Candidate]:
        progress = queued.progress
        if urgency.is_first:
            return [Candidate.first(recipient) for recipient in queued.envelope.recipients]
        candidates: list[Candidate] = []
        for address, recipient in recipients_of(queued).items():
            if address in progress.settled:
                continue
            candidate = Candidate.first(recipient)
            sender = queued.envelope.sender or ""
            keys = (f"R:{candidate.domain}", f"R:{address}", f"R:{address}:<{sender}>")
            waiting = None if urgency.is_forced else self._not_due(keys)
            if waiting is None:
                candidates.append(candidate)
            else:
                outcomes.append(_skipped(address, address, waiting))
        return candidates

    def _due_assignments(
        self,
        queued: Queued,
        assignments: list[Assignment],
        urgency: Urgency,
        outcomes: list[Outcome],
        errors_to: dict[str, str],
    ) -> list[Assignment]:
        """Without what is delivered already, and without local deliveries whose retry time has not come."""
        for assignment in assignments:
            if assignment.errors_to is not None:
                errors_to[assignment.address] = assignment.errors_to
        if urgency.is_first:
            return assignments
        due: list[Assignment] = []
        for assignment in assignments:
            if assignment.address in queued.progress.settled and assignment.candidate.parents:
                continue
            key = self._transports.local_key(assignment)
            waiting = None if urgency.is_forced or assignment.hosts else self._not_due((key,))
            if waiting is None:
                due.append(assignment)
            else:
                recipient = assignment.candidate.recipient.address
                outcomes.append(_skipped(assignment.address, recipient, waiting, assignment))
        return due

    def _not_due(self, keys: tuple[str, ...]) -> str | None:
        """The first of `keys` whose retry time lies ahead."""
        now = self._clock.now()
        for key in keys:
            hint = self._retries.look(key, now)
            if hint is not None and now < hint.next_try:
                return key
        return None


def _skipped(address: str, recipient: str, key: str, assignment: Assignment | None = None) -> Deferred:
    return Deferred(
        address=address,
        recipient=recipient,
        router=assignment.router if assignment else "",
        transport=assignment.transport if assignment else "",
        reason=Reason("Retry time not yet reached"),
        retry_keys=(key,),
        error=SKIPPED,
    )


def _routing_outcomes(routed: Routed, errors_to: dict[str, str]) -> list[Outcome]:
    """What ended in the routers."""
    outcomes: list[Outcome] = []
    for candidate, refused, router in routed.refused:
        if candidate.errors_to is not None:
            errors_to[candidate.address] = candidate.errors_to
        outcomes.append(
            Failed(
                address=candidate.address,
                recipient=candidate.recipient.address,
                parents=candidate.parent_addresses[:-1],
                router=router,
                reason=refused.reason,
            )
        )
    for candidate, postponed, router in routed.postponed:
        if candidate.errors_to is not None:
            errors_to[candidate.address] = candidate.errors_to
        outcomes.append(
            Deferred(
                address=candidate.address,
                recipient=candidate.recipient.address,
                parents=candidate.parent_addresses[:-1],
                router=router,
                reason=postponed.reason,
                retry_keys=postponed.retry_keys or (f"R:{candidate.domain}",),
                error="lookup",
                is_frozen=postponed.is_frozen,
            )
        )
    for candidate, router in routed.discarded:
        outcomes.append(
            Delivered(
                address=candidate.address,
                recipient=candidate.recipient.address,
                router=router,
                log_word=":blackhole:",
            )
        )
    return outcomes
