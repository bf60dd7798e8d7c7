"""One attempt at one message: route what is not settled, carry it, settle it.

    Queued → candidates → routed → jobs → outcomes → Settlement

The first attempt runs the routers and tries local deliveries whatever the retry hints say; later ones leave alone what is not due
(Exim 32, "When a delivery is not part of a queue run"). The message is held by this process all the time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence, Set
from typing import NamedTuple, Protocol

import msgspec

from pillarbox.flow.loops import LOOPING, is_looping
from pillarbox.flow.queue.ending import done_before_end
from pillarbox.flow.queue.following import Record
from pillarbox.flow.queue.full_names import with_new_domains
from pillarbox.flow.queue.holding import SUPPRESSED, Holding, waiting
from pillarbox.flow.queue.notices import recipients_of
from pillarbox.flow.queue.replacing import (
    NO_REPLACEMENTS,
    not_come_back_to,
    replacements_of,
)
from pillarbox.flow.queue.retry import Retries
from pillarbox.flow.queue.routed import ErrorsTo, routing_outcomes, without_ended, without_unreal
from pillarbox.flow.queue.settle import Settler
from pillarbox.flow.queue.settling import Settlement
from pillarbox.flow.queue.sorting import RemoteOrder
from pillarbox.flow.queue.success import without_wishes
from pillarbox.flow.queue.system_filter import Filtered, SystemFilter
from pillarbox.flow.queue.timely import Timely
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.done_names import unique_name
from pillarbox.flow.route.result import Assignment, HeldBack, LogLine, Routed
from pillarbox.flow.transport.job import SKIPPED
from pillarbox.flow.transport.run import Transports
from pillarbox.language.filter.variables import FilterState
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.message import Message
from pillarbox.mail.outcome import Deferred, Failed, Outcome
from pillarbox.mail.progress import Added, Attempted, Frozen, HeadersChanged, Settled
from pillarbox.mail.reply import Reason
from pillarbox.ports.clock import Clock
from pillarbox.ports.journal import Journal
from pillarbox.ports.spool import Queued
from pillarbox.wire.exim.message_log import UNSTAMPED


class Came(NamedTuple):
    """Of one attempt, for settling it."""

    outcomes: list[Outcome]
    errors_to: ErrorsTo
    """Where failures of redirected addresses are reported."""
    replacements: Mapping[str, Added]
    """What takes the place of addresses that wait."""
    told: Set[int]
    """Identities of outcomes that have been logged."""
    headers: bytes | None = None
    """With the domains that routing completed; None: as they were."""


class RouterChain(Protocol):
    """The routers, as delivery sees them."""

    async def route_for_delivery(
        self,
        candidates: Sequence[Candidate],
        envelope: Envelope,
        message: Message,
        *,
        filter_state: FilterState | None = None,
        held_back: HeldBack | None = None,
        done: Set[str] = frozenset(),
    ) -> list[Routed]:
        """One answer for each candidate, after all redirection and without duplicates."""
        ...


class Urgency(msgspec.Struct, frozen=True, gc=False):
    """How to treat retry times."""

    is_first: bool = False
    """Straight after acceptance: routers run, local deliveries are tried, hosts keep their retry times."""
    is_forced: bool = False
    """`-qf`, `-M`: no retry time counts."""
    remote_waits: str = ""
    """Nothing goes to other hosts, and why; empty: it may."""
    is_silent_about_remote: bool = False
    """The first of two stages: what waits for the second is not worth a line."""
    is_provisional: bool = False
    """The rest of the attempt follows: the message counts as untried."""


FIRST = Urgency(is_first=True)
FIRST_LOCAL = Urgency(is_first=True, remote_waits="SMTP delivery explicitly queued")
AGAIN = Urgency()
FORCED = Urgency(is_forced=True)


class Delivery:
    """Attempts deliveries."""

    __slots__ = (
        "_chain",
        "_clock",
        "_holding",
        "_hops_max",
        "_journal",
        "_last_hops",
        "_record",
        "_remote_order",
        "_settler",
        "_system_filter",
        "_timely",
        "_transports",
        "announce",
    )

    def __init__(
        self,
        chain: RouterChain,
        transports: Transports,
        retries: Retries,
        settler: Settler,
        clock: Clock,
        *,
        journal: Journal | None = None,
        system_filter: SystemFilter | None = None,
        holding: Holding | None = None,
        last_hops: frozenset[str] = frozenset(),
        record: Record | None = None,
        remote_order: RemoteOrder | None = None,
        hops_max: int = 0,
    ) -> None:
        """`journal`: for what routing and the system filter have to say. `holding`: domains whose mail waits. `last_hops`: names of routers
        with `dsn_lasthop`. `record`: the spool's, for what is settled while the rest of a message is under way. `hops_max`:
        `received_headers_max`; 0: any."""
        self._hops_max = hops_max
        self._record = record
        self._remote_order = remote_order
        self._holding = holding
        self._last_hops = last_hops
        self._chain = chain
        self._transports = transports
        self._timely = Timely(transports, retries, clock)
        self._settler = settler
        self._clock = clock
        self._journal = journal
        self._system_filter = system_filter
        self.announce: Callable[[Queued], Awaitable[object]] | None = None
        """Hears of each attempt before it begins."""

    async def attempt(self, queued: Queued, urgency: Urgency) -> Settlement:
        """Try all that is due. Ordinary trouble is in the outcomes; an exception is a fault of ours, and nothing was recorded."""
        if self._hops_max and is_looping(queued, self._hops_max):
            return await self._settler.settle(
                queued, self._all_failed(queued, Reason(LOOPING), is_unlogged=False), {}
            )
        if self.announce is not None:
            await self.announce(queued)
        if self._system_filter is None:
            return await self._attempt(queued, urgency, None)
        filtered = await self._system_filter.run(queued, is_first=not queued.progress.attempts)
        self._say(queued.id, [LogLine(text, is_panic=bool(filtered.error)) for text in filtered.log])
        if filtered.end is not None or filtered.error:
            settlement = await self._end(queued, filtered, urgency)
        else:
            settlement = await self._attempt(_as_filtered(queued, filtered), urgency, filtered)
        if any(isinstance(event, HeadersChanged) for event in settlement.events):
            return settlement
        return _keeping_headers(settlement, queued, filtered.message.headers, self._clock.now())

    async def _attempt(self, queued: Queued, urgency: Urgency, filtered: Filtered | None) -> Settlement:
        came = await self._outcomes(queued, urgency, filtered)
        if not urgency.is_first and await self._timely.is_overdue(queued, came.outcomes):
            came = await self._outcomes(queued, FORCED, filtered)
        settlement = await self._settler.settle(queued, *came[:4], is_provisional=urgency.is_provisional)
        if came.headers is None:
            return settlement
        return _keeping_headers(settlement, queued, came.headers, self._clock.now())

    def _say(self, message_id: str, lines: Sequence[LogLine]) -> None:
        if self._journal is None:
            return
        for line in lines:
            text = f"{message_id} {line.text}"
            if line.is_panic and line.is_main:
                self._journal.panic(text)
            elif line.is_panic:
                self._journal.panic_only(text)
            elif line.is_main:
                self._journal.main(text)

    async def _end(self, queued: Queued, filtered: Filtered, urgency: Urgency) -> Settlement:
        """The system filter delivers nothing, or could not be run: all fail, or the message waits or is frozen. What it has set up before
        is delivered all the same (Exim 47.5)."""
        verb = filtered.end.verb if filtered.end is not None else "defer"
        came = Came([], {}, NO_REPLACEMENTS, frozenset())
        if filtered.candidates or filtered.assignments:
            came = await self._outcomes(queued, urgency, filtered)
        if verb == "fail" and filtered.end is not None:
            reason = Reason(filtered.log[0], filtered.end.text or "delivery cancelled")
            is_of_nobody = queued.envelope.sender is None  # then that is the end of it
            came.outcomes.extend(self._all_failed(queued, reason, is_unlogged=True, is_silent=is_of_nobody))
            return await self._settler.settle(_as_filtered(queued, filtered), *came[:4])
        now = self._clock.now()
        done = await done_before_end(self._settler, queued, came[:4], now) if came.outcomes else []
        if verb == "freeze":
            lines = (*(UNSTAMPED + line for line in filtered.log[:1]), *filtered.log[1:])
            return Settlement(False, False, float("inf"), (*done, Attempted(now), Frozen(now)), lines)
        if filtered.error and not done:
            return Settlement(False, False, now)  # it counts as untried: the next delivery is its first
        told = () if filtered.error else filtered.log
        return Settlement(False, False, now, (*done, Attempted(now, now)), told)

    async def _outcomes(self, queued: Queued, urgency: Urgency, filtered: Filtered | None = None) -> Came:
        """What became of every address that is not settled."""
        outcomes: list[Outcome] = []
        errors_to: ErrorsTo = {}
        assignments: list[Assignment] = []
        replacements: Mapping[str, Added] = NO_REPLACEMENTS
        headers = None
        candidates = await self._candidates(queued, urgency, filtered, outcomes)
        if candidates:
            every = await self._route(candidates, queued, urgency, filtered)
            if not urgency.is_first:
                every = [without_ended(routed, queued) for routed in every]
            replacements = replacements_of(every, self._clock)
            for routed in every:
                assignments.extend(routed.assignments)
                self._say(queued.id, routed.log)
                if routed.new_domains:
                    queued = with_new_domains(queued, dict(routed.new_domains))
                    headers = queued.message.headers
                for letter in routed.letters:
                    await self._settler.send(queued, letter)
                if routed.refused or routed.postponed or routed.discarded:
                    outcomes.extend(routing_outcomes(routed, errors_to))
        if filtered is not None:
            assignments.extend(filtered.assignments)
        errors_to.update(_readers_of_errors(assignments))
        if not urgency.is_first:
            assignments = await self._timely.assignments(
                queued, assignments, outcomes, is_forced=urgency.is_forced
            )
        assignments = self._to_carry(assignments, outcomes)
        every_assignment = assignments
        if urgency.remote_waits:
            assignments = self._without_remote(assignments, urgency, outcomes)
        elif self._holding is not None:
            assignments = await self._holding.after_routing(
                queued, assignments, outcomes, is_first=urgency.is_first, is_forced=urgency.is_forced
            )
        if len(assignments) < len(every_assignment) and (urgency.is_first or urgency.is_provisional):
            for assignment in every_assignment:
                if assignment not in assignments:
                    self._transports.note_waiting(queued.id, assignment)
        told = await self._carry(queued, assignments, urgency, outcomes) if assignments else frozenset()
        return Came(outcomes, errors_to, replacements, told, headers)

    async def _carry(
        self, queued: Queued, assignments: list[Assignment], urgency: Urgency, outcomes: list[Outcome]
    ) -> Set[int]:
        """Adds to `outcomes`; identities of those that have been logged on the way."""
        following = None
        if self._remote_order is not None and len(assignments) > 1:
            assignments = await self._remote_order.arranged(queued, assignments)
        if self._record is not None and (outcomes or len(assignments) > 1):
            following = self._settler.follow(queued, self._record)
            skipped = [o for o in outcomes if isinstance(o, Deferred) and o.error == SKIPPED]
            tells_skipped = not skipped or not await self._timely.is_overdue(queued, skipped)
            following.begin(assignments, outcomes, tells_skipped=tells_skipped)
        outcomes.extend(
            await self._transports.run(
                queued.envelope,
                queued.message,
                assignments,
                is_repeat=not urgency.is_first,
                is_forced=urgency.is_forced,
                follower=following,
            )
        )
        return frozenset() if following is None else following.told

    def _to_carry(self, assignments: list[Assignment], outcomes: list[Outcome]) -> list[Assignment]:
        kept = without_unreal(assignments, outcomes)
        return without_wishes(kept, self._last_hops) if self._last_hops else kept

    async def _route(
        self, candidates: list[Candidate], queued: Queued, urgency: Urgency, filtered: Filtered | None
    ) -> list[Routed]:
        return await self._chain.route_for_delivery(
            candidates,
            queued.envelope,
            queued.message,
            filter_state=None if filtered is None else filtered.state,
            held_back=None if urgency.is_first or urgency.is_forced else self._timely.held_back(queued),
            done=not_come_back_to(queued.progress),
        )

    async def give_up(self, queued: Queued) -> Settlement:
        """Fail every address that is left (`-Mg`, `timeout_frozen_after`). Neither log nor bounce give a reason, as in Exim."""
        outcomes = self._all_failed(queued, Reason(""), is_unlogged=True)
        return await self._settler.settle(queued, outcomes, {})

    def _all_failed(
        self, queued: Queued, reason: Reason, *, is_unlogged: bool, is_silent: bool = False
    ) -> list[Outcome]:
        left = [a for a in recipients_of(queued) if a not in queued.progress.settled]
        return [
            Failed(address=a, recipient=a, reason=reason, is_unlogged=is_unlogged, is_silent=is_silent)
            for a in left
        ]

    async def _candidates(
        self, queued: Queued, urgency: Urgency, filtered: Filtered | None, outcomes: list[Outcome]
    ) -> list[Candidate]:
        """What is to be routed now: those that must wait go to `outcomes`."""
        candidates: list[Candidate] = []
        if filtered is None or not filtered.replaces:
            if urgency.is_first:
                settled = queued.progress.settled  # by `-t` with arguments
                candidates = [
                    Candidate.first(each)
                    for each in queued.envelope.recipients
                    if each.address not in settled
                ]
            else:
                candidates = await self._timely.candidates(queued, outcomes, is_forced=urgency.is_forced)
        if filtered is not None:
            done = queued.progress.settled
            candidates[:0] = [each for each in filtered.candidates if unique_name(each) not in done]
        if self._holding is not None:
            candidates = await self._holding.before_routing(
                queued, candidates, outcomes, is_first=urgency.is_first, is_forced=urgency.is_forced
            )
        return candidates

    def _without_remote(
        self, assignments: list[Assignment], urgency: Urgency, outcomes: list[Outcome]
    ) -> list[Assignment]:
        """Those that stay on this machine; the others wait."""
        local: list[Assignment] = []
        for assignment in assignments:
            if self._transports.is_remote(assignment.transport):
                error = "" if urgency.is_first else SUPPRESSED
                outcomes.append(
                    waiting(
                        assignment,
                        urgency.remote_waits,
                        error=error,
                        is_unlogged=urgency.is_silent_about_remote,
                    )
                )
            else:
                local.append(assignment)
        return local


def _keeping_headers(settlement: Settlement, before: Queued, headers: bytes, now: float) -> Settlement:
    """What the system filter or routing made of the header is kept with a message that waits whenever its -H file has to change anyway,
    as Exim does: at the first attempt, and when something is done or frozen."""
    if settlement.is_complete or headers is before.message.headers:
        return settlement
    is_written = any(isinstance(event, Settled | Added | Frozen) for event in settlement.events)
    if before.progress.attempts and not is_written:
        return settlement
    return msgspec.structs.replace(settlement, events=(*settlement.events, HeadersChanged(headers, now)))


def _as_filtered(queued: Queued, filtered: Filtered) -> Queued:
    """With the headers that the system filter left."""
    if filtered.message is queued.message:
        return queued
    return msgspec.structs.replace(queued, message=filtered.message)


def _readers_of_errors(assignments: Sequence[Assignment]) -> Iterator[tuple[tuple[str, str], str]]:
    for assignment in assignments:
        way = assignment.address, assignment.candidate.recipient.address
        if assignment.ignores_errors or assignment.candidate.ignores_errors:
            yield way, ""
        elif assignment.errors_to is not None:
            yield way, assignment.errors_to
