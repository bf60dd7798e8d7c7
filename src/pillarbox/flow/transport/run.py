"""Running the jobs of one message: local ones first and one after another, remote ones side by side (Exim 11, `remote_max_parallel`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from pillarbox.config.errors import OptionError
from pillarbox.flow.route.result import Assignment
from pillarbox.flow.transport.crowding import Places
from pillarbox.flow.transport.job import Job
from pillarbox.flow.transport.outcomes import defer_all, deferred, delivered, fail_all
from pillarbox.flow.transport.plan import Limited, plan_jobs, with_followers
from pillarbox.flow.transport.services import TransportServices
from pillarbox.flow.transport.transport import ReturnPathFailed, Transport, scope_of
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed, ForcedFailure
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.message import Message
from pillarbox.mail.outcome import Deferred, Delivered, Failed, Outcome, RemoteHost
from pillarbox.mail.reply import Reason, Reply

_BYPASSED = Reply(0, "delivery bypassed by -N option")
_NO_PORT = -1
"""As Exim shows the port of a host that leaves it to the transport, when no transport runs."""


class Follower(Protocol):
    """Who hears how the parts of an attempt end."""

    def local_ended(self, outcomes: Sequence[Outcome]) -> None: ...

    async def before_remote(self) -> None:
        """All local deliveries are over."""
        ...

    def remote_ended(self, outcomes: Sequence[Outcome]) -> None: ...


class Transports:
    """The configured transports of one worker."""

    __slots__ = ("_has_planning", "_places", "_remote_max_parallel", "_services", "_transports")

    def __init__(
        self,
        transports: Mapping[str, Transport],
        services: TransportServices,
        *,
        remote_max_parallel: int = 6,
    ) -> None:
        self._transports = dict(transports)
        self._services = services
        services.transports = self._transports
        self._has_planning = any(one.is_planned_by_expansion for one in transports.values())
        self._remote_max_parallel = remote_max_parallel
        self._places = Places()

    async def run(
        self,
        envelope: Envelope,
        message: Message,
        assignments: Sequence[Assignment],
        *,
        is_repeat: bool,
        is_forced: bool,
        follower: Follower | None = None,
    ) -> list[Outcome]:
        """Carry the message to every assignment; one outcome for each, job by job. `follower`: hears of each job when it is over, where there
        are several."""
        if envelope.is_dry:
            return self.pretend(assignments)
        if len(assignments) == 1:
            only = Job(envelope, message, tuple(assignments), is_repeat, is_forced)
            return await self._carry(only)
        spoilt: list[Outcome] = []
        if self._has_planning:
            assignments, spoilt = await self._sorted_out(envelope, message, assignments)
        batches = await self._batches(envelope, message, assignments)
        share = sum(self.is_remote(one.transport) for one in assignments) // max(1, self._remote_max_parallel)
        jobs = plan_jobs(
            envelope,
            message,
            assignments,
            self._addresses_per_job,
            in_one_job=lambda name, most: self._most_in_one_job(name, most, share),
            batches=batches,
            is_repeat=is_repeat,
            is_forced=is_forced,
        )
        outcomes: list[Outcome] = [*spoilt]
        remote: list[Job] = []
        for job in jobs:
            if not self._is_local(job):
                remote.append(job)
                continue
            ended = await self._carry(job)
            outcomes.extend(ended)
            if follower is not None:
                await _follow(follower.local_ended, ended)
        if follower is not None and remote:
            await follower.before_remote()
        outcomes.extend(await self._carry_remote(remote, follower))
        return outcomes

    def note_waiting(self, message_id: str, assignment: Assignment) -> None:
        """It has been routed, and is to go to its hosts later."""
        waiting = self._services.waiting
        if waiting is not None and assignment.hosts:
            waiting.note(message_id, assignment.transport, [host.name for host in assignment.hosts])

    def _most_in_one_job(self, name: str, most: int, share: int) -> int:
        """Addresses: of remote deliveries each job has its share where that takes more than one transaction, as many as one connection may
        carry."""
        if most <= 0 or not self.is_remote(name):
            return most
        messages = getattr(self._transports[name], "connection_max_messages", 0)
        return max(most, min(share, most * messages) if messages > 0 else share)

    async def run_together(
        self, envelope: Envelope, message: Message, assignments: Sequence[Assignment]
    ) -> list[Outcome] | None:
        """All of them in one transaction, or nobody; None: they do not go the same way."""
        jobs = plan_jobs(envelope, message, assignments, lambda _: 0, is_forced=True)
        if len(jobs) != 1:
            return None
        return await self._carry(msgspec.structs.replace(jobs[0], is_all_or_none=True))

    def pretend(self, assignments: Sequence[Assignment]) -> list[Outcome]:
        """As if every transport had done its work (`-N`)."""
        return [self._pretended(one) for one in assignments]

    def _pretended(self, assignment: Assignment) -> Outcome:
        """Local deliveries are logged by the local part, others by the host that would have been the first."""
        transport = self._transports.get(assignment.transport)
        is_local = transport is not None and transport.is_local
        first = assignment.hosts[0] if assignment.hosts else None
        if is_local or first is None or not first.addresses:
            word = assignment.candidate.local_part if is_local else ""
            return msgspec.structs.replace(delivered(assignment, log_word=word), is_dry=True)
        host = RemoteHost(first.name, first.addresses[0], first.port or _NO_PORT)
        return msgspec.structs.replace(delivered(assignment, host=host, reply=_BYPASSED), is_dry=True)

    async def _carry_remote(self, jobs: list[Job], follower: Follower | None) -> list[Outcome]:
        if len(jobs) < 2:
            return await self._carry(jobs[0]) if jobs else []
        if self._remote_max_parallel <= 1:
            jobs = with_followers(jobs)
        places = asyncio.Semaphore(max(1, self._remote_max_parallel))

        async def carry(job: Job) -> list[Outcome]:
            async with places:
                ended = await self._carry(job)
            if follower is not None:
                await _follow(follower.remote_ended, ended)
            return ended

        results = await asyncio.gather(*(carry(job) for job in jobs))
        return [outcome for result in results for outcome in result]

    async def _carry(self, job: Job) -> list[Outcome]:
        name = job.assignments[0].transport
        transport = self._transports.get(name)
        if transport is None:
            return defer_all(job, Reason(f"{name} transport not found"))
        try:
            outcomes = await self._carry_by(transport, job)
            if transport.shadow_transport is not None and transport.is_local and not job.is_shadow:
                outcomes = await self._shadow(transport, job, outcomes)
            if transport.event_action is not None:
                events = transport.events_of(job, scope_of(job, self._services), self._services)
                if events is not None:
                    outcomes = events.announced(job, outcomes, is_local=transport.is_local)
            if transport.is_local and self._services.style.shows("return_path_on_delivery"):
                outcomes = await self._with_paths(transport, job, outcomes)
            return _as_told(transport, job, outcomes)
        except (ExpansionFailed, ExpansionDeferred) as error:
            return defer_all(job, Reason(str(error)))
        except Exception as fault:
            text = f"{name} transport broke off: {type(fault).__name__}: {fault}"
            self._services.journal.panic(f"{job.envelope.id} {text}")
            return defer_all(job, Reason(text, "internal error"))

    async def _carry_by(self, transport: Transport, job: Job) -> list[Outcome]:
        """Unless it is too big for the transport; when it is its turn (`max_parallel`)."""
        limit = transport.size_limit
        if not limit and transport.message_size_limit is not None:
            limit = await transport.limit_of(job, self._services)
        if 0 < limit < job.message.size:
            return fail_all(job, Reason(f"message is too big (transport limit = {limit})"))
        if transport.max_parallel is None or job.is_shadow:
            return await transport.deliver(job, self._services)
        try:
            places = await transport.parallel_limit_of(job, self._services)
        except ExpansionFailed as error:
            return defer_all(job, Reason(str(error)), is_panic=True)
        async with self._places.taken(transport.name, places):
            return await transport.deliver(job, self._services)

    async def _with_paths(self, transport: Transport, job: Job, outcomes: list[Outcome]) -> list[Outcome]:
        """With the return path, for logs that show it; local deliveries do not carry it through otherwise."""
        try:
            path = await transport.sender_of(job, scope_of(job, self._services)) or ""
        except ReturnPathFailed:
            return outcomes
        return [msgspec.structs.replace(one, return_path=path) for one in outcomes]

    async def _shadow(self, transport: Transport, job: Job, outcomes: list[Outcome]) -> list[Outcome]:
        """Give what was delivered to the shadow transport too; what becomes of that is only told (Exim 24)."""
        name = transport.shadow_transport or ""
        shadow = self._transports.get(name)
        done = {o.address for o in outcomes if isinstance(o, Delivered)}
        going = tuple(a for a in job.assignments if a.address in done)
        if shadow is None or not shadow.is_local or not going:
            return outcomes
        copies = msgspec.structs.replace(job, assignments=going, is_shadow=True)
        if not await self._wants_shadow(transport, copies):
            return outcomes
        results = await shadow.deliver(copies, self._services)
        told = {result.address: shadow_told(name, result) for result in results}
        return [
            msgspec.structs.replace(o, shadow=told.get(o.address, name)) if isinstance(o, Delivered) else o
            for o in outcomes
        ]

    async def _wants_shadow(self, transport: Transport, job: Job) -> bool:
        condition = transport.shadow_condition
        if condition is None:
            return True
        try:
            text = await condition.expand(scope_of(job, self._services))
        except ForcedFailure:
            return False
        except (ExpansionFailed, ExpansionDeferred) as error:
            self._services.journal.panic(
                f'{job.envelope.id} failed to expand condition "{condition.source}" '
                f"for {transport.name} transport: {error}"
            )
            return False
        return text.lower() not in ("", "0", "no", "false")

    def is_remote(self, name: str) -> bool:
        """Whether that transport speaks SMTP or LMTP to a host."""
        transport = self._transports.get(name)
        return transport is not None and not transport.is_local

    def local_key(self, assignment: Assignment) -> str:
        """Of a local delivery, in the retry hints."""
        transport = self._transports.get(assignment.transport)
        return transport.retry_key_of(assignment) if transport else f"T:{assignment.address}"

    async def _sorted_out(
        self, envelope: Envelope, message: Message, assignments: Sequence[Assignment]
    ) -> tuple[list[Assignment], list[Outcome]]:
        """Without those whose `multi_domain` or `max_rcpt` comes to nothing: they wait."""
        kept: list[Assignment] = []
        spoilt: list[Outcome] = []
        for one in assignments:
            job = Job(envelope, message, (one,))
            try:
                if self.is_remote(one.transport):
                    await self._batch(job)
                kept.append(one)
            except (ExpansionFailed, ExpansionDeferred, OptionError) as error:
                spoilt.extend(deferred(a, Reason(str(error)), is_panic=True) for a in job.assignments)
        return kept, spoilt

    async def _batches(
        self, envelope: Envelope, message: Message, assignments: Sequence[Assignment]
    ) -> list[object]:
        """What keeps addresses of local transports apart besides where they go (Exim chapter 25): equal for those that may share."""
        jobs = [Job(envelope, message, (one,)) for one in assignments]
        return [await self._batch(job, is_last=job is jobs[-1]) for job in jobs]

    async def _batch(self, job: Job, *, is_last: bool = False) -> object:
        """`is_last`: nobody is behind that it could share with."""
        assignment = job.assignments[0]
        transport = self._transports.get(assignment.transport)
        if transport is None or transport.addresses_per_job == 1:
            return None
        if not transport.is_local and not transport.is_planned_by_expansion:
            return None
        if not transport.is_local:
            is_mixed = await transport.is_multi_domain(job, self._services)
            most = await transport.most_addresses(job, self._services)
            return Limited("" if is_mixed else assignment.domain, most)
        if assignment.expands_command:
            return assignment.address
        own = {"domain": assignment.domain, "local_part": assignment.local_part}.get(transport.splits_by, "")
        runs_as = () if transport.user is not None else (assignment.user, assignment.group)
        who = (assignment.home, *runs_as)
        if transport.batching is None:
            return own, who
        try:
            return own, who, await transport.batching.expand(scope_of(job, self._services))
        except (ExpansionFailed, ExpansionDeferred) as error:
            if not is_last:
                self._tell_of_batch(transport, job, error)
            return assignment.address

    def _tell_of_batch(self, transport: Transport, job: Job, error: Exception) -> None:
        where = f"{transport.name} transport ({job.assignments[0].address})"
        self._services.journal.panic(
            f"{job.envelope.id} Failed to expand batch_id option in {where}: {error}"
        )

    def _is_local(self, job: Job) -> bool:
        transport = self._transports.get(job.assignments[0].transport)
        return transport is None or transport.is_local

    def _addresses_per_job(self, name: str) -> int:
        transport = self._transports.get(name)
        return 1 if transport is None else transport.addresses_per_job


async def _follow(ended: Callable[[Sequence[Outcome]], None], outcomes: Sequence[Outcome]) -> None:
    """What ended is logged; a failure is announced in front of its line, a delivery behind it."""
    if all(one.announce is None for one in outcomes):
        ended(outcomes)
        return
    for one in outcomes:
        if one.announce is not None and not isinstance(one, Delivered):
            await one.announce()
        ended((one,))
        if one.announce is not None and isinstance(one, Delivered):
            await one.announce()


def _as_told(transport: Transport, job: Job, outcomes: list[Outcome]) -> list[Outcome]:
    """What the options say of logs and notices: `disable_logging`, `log_as_local`, `hide_child_in_errmsg`."""
    first = job.assignments[0]
    is_unlogged = transport.disable_logging
    shows_domain = transport.is_local and not first.logs_as_local
    if transport.rcpt_include_affixes and not first.file:
        outcomes = [_with_affixes(outcome) for outcome in outcomes]
    if not (is_unlogged or shows_domain or first.candidate.is_hidden):
        return outcomes
    return [
        msgspec.structs.replace(
            outcome,
            is_unlogged=is_unlogged,
            is_in_own_log=is_unlogged,
            shows_domain=shows_domain,
            is_hidden=first.candidate.is_hidden,
        )
        for outcome in outcomes
    ]


def _with_affixes(outcome: Outcome) -> Outcome:
    """The whole address is what the other program heard of, so the log has it too."""
    return msgspec.structs.replace(outcome, log_word="")


def shadow_told(name: str, result: Outcome) -> str:
    """Behind `ST=`."""
    if isinstance(result, Delivered):
        return name
    assert isinstance(result, (Failed, Deferred))
    return f"{name} ({result.reason.log})"
