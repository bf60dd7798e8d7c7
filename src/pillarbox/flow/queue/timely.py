"""Whose time has come: which addresses an attempt leaves alone because of what is known of earlier ones (Exim 32.10, 32.11).

The first attempt heeds no retry time of an address; a forced one heeds none at all. Hosts have their own (`transport.attempt.clocks`).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pillarbox.flow.queue.notices import recipients_of
from pillarbox.flow.queue.older_names import without_done
from pillarbox.flow.queue.retry import Retries, is_of_domain
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Assignment, HeldBack, Postponed
from pillarbox.flow.transport.job import SKIPPED
from pillarbox.flow.transport.run import Transports
from pillarbox.mail.outcome import Deferred, Outcome
from pillarbox.mail.reply import Reason
from pillarbox.ports.clock import Clock
from pillarbox.ports.spool import Queued

RETRY_TIME_NOT_REACHED = "retry time not reached"


class Timely:
    """Of one worker."""

    __slots__ = ("_clock", "_retries", "_transports")

    def __init__(self, transports: Transports, retries: Retries, clock: Clock) -> None:
        self._transports = transports
        self._retries = retries
        self._clock = clock

    async def is_overdue(self, queued: Queued, outcomes: Sequence[Outcome]) -> bool:
        """Nothing was tried, and the message is older than a rule allows: one last try, now (Exim 32.11). Domains keep their times."""
        age = self._clock.now() - queued.envelope.received_at
        sender = queued.envelope.sender
        skipped = [o for o in outcomes if isinstance(o, Deferred) and o.error == SKIPPED]
        if len(skipped) != len(outcomes):
            return False
        for each in skipped:
            for key in each.retry_keys:
                if not is_of_domain(key) and 0 < await self._retries.cutoff_of(key, each, sender) < age:
                    return True
        return False

    async def candidates(
        self, queued: Queued, outcomes: list[Outcome], *, is_forced: bool
    ) -> list[Candidate]:
        """Of a message that has been tried before: those that may be routed; the others go to `outcomes`."""
        progress = queued.progress
        candidates: list[Candidate] = []
        replaced = {one.address: one for one in progress.replacements}
        for address, recipient in recipients_of(queued).items():
            if address in progress.settled:
                continue
            candidate = Candidate.first(recipient)
            if address in replaced:
                candidate = msgspec.structs.replace(candidate, errors_to=replaced[address].errors_to)
            keys = _routing_keys(candidate, queued.envelope.sender)
            waiting = None if is_forced else await self._not_due(keys, queued, address)
            if waiting is None:
                candidates.append(candidate)
            else:
                outcomes.append(_skipped(address, address, waiting))
        return candidates

    async def assignments(
        self, queued: Queued, assignments: Sequence[Assignment], outcomes: list[Outcome], *, is_forced: bool
    ) -> list[Assignment]:
        """Without what is delivered already, and without local deliveries whose retry time has not come: those go to `outcomes`."""
        due: list[Assignment] = []
        for assignment in without_done(assignments, queued):
            key = self._transports.local_key(assignment)
            is_free = is_forced or assignment.hosts or self._has_expired(key)
            waiting = None if is_free else await self._not_due((key,), queued, assignment.address)
            if waiting is None:
                due.append(assignment)
            else:
                recipient = assignment.candidate.recipient.address
                outcomes.append(_skipped(assignment.address, recipient, waiting, assignment))
        return due

    def held_back(self, queued: Queued) -> HeldBack:
        """For what redirection makes of addresses that are due."""
        sender = queued.envelope.sender

        async def held_back(candidate: Candidate) -> Postponed | None:
            key = await self._not_due(_routing_keys(candidate, sender), queued, candidate.address)
            if key is None:
                return None
            return Postponed(Reason(RETRY_TIME_NOT_REACHED), retry_keys=(key,), error=SKIPPED)

        return held_back

    async def _not_due(self, keys: tuple[str, ...], queued: Queued, address: str) -> str | None:
        """Which key holds an address back: none but its domain's does when the message is older than its rule allows, for one last try
        (Exim 32.11)."""
        now, envelope = self._clock.now(), queued.envelope
        key = self._retries.not_due(keys, now)
        if key is None or is_of_domain(key):
            return key
        cutoff = await self._retries.cutoff_of(key, _skipped(address, address, key), envelope.sender)
        return None if 0 < cutoff < now - envelope.received_at else key

    def _has_expired(self, key: str) -> bool:
        """A local delivery is tried by then in every run, as Exim does."""
        hint = self._retries.look(key, self._clock.now())
        return hint is not None and hint.is_expired


def _routing_keys(candidate: Candidate, sender: str | None) -> tuple[str, ...]:
    address = candidate.address
    return f"R:{candidate.domain}", f"R:{address}", f"R:{address}:<{sender or ''}>"


def _skipped(address: str, recipient: str, key: str, assignment: Assignment | None = None) -> Deferred:
    return Deferred(
        address=address,
        recipient=recipient,
        also_for=assignment.also_for if assignment else (),
        done_name=assignment.done_name if assignment else "",
        router=assignment.router if assignment else "",
        transport=assignment.transport if assignment else "",
        reason=Reason("Retry time not yet reached" if assignment else RETRY_TIME_NOT_REACHED),
        retry_keys=(key,),
        error=SKIPPED,
    )
