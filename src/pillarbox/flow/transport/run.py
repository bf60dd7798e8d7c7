"""Running the jobs of one message: local ones first and one after another, remote ones side by side (Exim 11, `remote_max_parallel`)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from pillarbox.flow.route.result import Assignment
from pillarbox.flow.transport.job import Job
from pillarbox.flow.transport.outcomes import defer_all, fail_all
from pillarbox.flow.transport.plan import plan_jobs
from pillarbox.flow.transport.services import TransportServices
from pillarbox.flow.transport.transport import Transport
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.message import Message
from pillarbox.mail.outcome import Outcome
from pillarbox.mail.reply import Reason


class Transports:
    """The configured transports of one worker."""

    __slots__ = ("_places", "_remote_max_parallel", "_services", "_transports")

    def __init__(
        self,
        transports: Mapping[str, Transport],
        services: TransportServices,
        *,
        remote_max_parallel: int = 6,
    ) -> None:
        self._transports = dict(transports)
        self._services = services
        self._remote_max_parallel = remote_max_parallel
        self._places = {
            name: asyncio.Semaphore(transport.parallel_limit)
            for name, transport in transports.items()
            if transport.parallel_limit > 0
        }

    async def run(
        self,
        envelope: Envelope,
        message: Message,
        assignments: Sequence[Assignment],
        *,
        is_repeat: bool,
        is_forced: bool,
    ) -> list[Outcome]:
        """Carry the message to every assignment; one outcome for each, job by job."""
        if len(assignments) == 1:
            only = Job(envelope, message, tuple(assignments), is_repeat, is_forced)
            return await self._carry(only)
        jobs = plan_jobs(
            envelope, message, assignments, self._addresses_per_job, is_repeat=is_repeat, is_forced=is_forced
        )
        outcomes: list[Outcome] = []
        remote: list[Job] = []
        for job in jobs:
            if self._is_local(job):
                outcomes.extend(await self._carry(job))
            else:
                remote.append(job)
        outcomes.extend(await self._carry_remote(remote))
        return outcomes

    async def _carry_remote(self, jobs: list[Job]) -> list[Outcome]:
        if len(jobs) < 2:
            return await self._carry(jobs[0]) if jobs else []
        places = asyncio.Semaphore(max(1, self._remote_max_parallel))

        async def carry(job: Job) -> list[Outcome]:
            async with places:
                return await self._carry(job)

        results = await asyncio.gather(*(carry(job) for job in jobs))
        return [outcome for result in results for outcome in result]

    async def _carry(self, job: Job) -> list[Outcome]:
        name = job.assignments[0].transport
        transport = self._transports.get(name)
        if transport is None:
            return defer_all(job, Reason(f"{name} transport not found"))
        if 0 < transport.size_limit < job.message.size:
            text = f"message is too big (transport limit = {transport.size_limit})"
            return fail_all(job, Reason(text, text))
        try:
            place = self._places.get(name)
            if place is None:
                return await transport.deliver(job, self._services)
            async with place:
                return await transport.deliver(job, self._services)
        except Exception as fault:
            text = f"{name} transport broke off: {type(fault).__name__}: {fault}"
            self._services.journal.panic(f"{job.envelope.id} {text}")
            return defer_all(job, Reason(text, "internal error"))

    def _is_local(self, job: Job) -> bool:
        transport = self._transports.get(job.assignments[0].transport)
        return transport is None or transport.is_local

    def _addresses_per_job(self, name: str) -> int:
        transport = self._transports.get(name)
        return 1 if transport is None else transport.addresses_per_job
