"""lmtp: to a local delivery agent over a UNIX socket (Exim chapter 28, RFC 2033). Each recipient has a reply of its own.

Not here yet: `command` (LMTP over a pipe), `ignore_quota`.
"""

from __future__ import annotations

from pillarbox.config.declare import option
from pillarbox.config.kinds import Duration
from pillarbox.flow.transport.attempt.habits import Habits, Manners
from pillarbox.flow.transport.attempt.hosts import HostRun
from pillarbox.flow.transport.attempt.parcel import make_parcel
from pillarbox.flow.transport.attempt.target import Target
from pillarbox.flow.transport.job import Job
from pillarbox.flow.transport.outcomes import defer_all
from pillarbox.flow.transport.services import TransportServices
from pillarbox.flow.transport.transport import Transport, scope_of
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.template import Template
from pillarbox.mail.outcome import Outcome
from pillarbox.mail.reply import Reason

_PLAIN = Manners(tls="avoid")


async def _plain(target: Target) -> Manners:
    return _PLAIN


class Lmtp(Transport, driver="lmtp"):
    """Deliver through a socket."""

    socket: Template = option(doc="Path of the UNIX socket.")
    timeout: Duration = option(default="5m", doc="Wait this long for connecting and for each reply.")
    batch_max: int = option(default=1, doc="Recipients in one transaction.")

    @property
    def addresses_per_job(self) -> int:
        return max(1, self.batch_max)

    async def deliver(self, job: Job, services: TransportServices) -> list[Outcome]:
        scope = scope_of(job, services)
        try:
            path = await self.socket.expand(scope)
            pack = await make_parcel(self, job, scope, services, size_addition=0)
        except (ExpansionDeferred, ExpansionFailed) as error:
            return defer_all(job, Reason(str(error)), retry_keys=(f"T:{job.assignments[0].address}",))
        habits = Habits(
            helo=services.hostname,
            manners_for=_plain,
            transport=self.name,
            lmtp=True,
            connect_timeout=self.timeout,
            command_timeout=self.timeout,
            data_timeout=self.timeout,
            final_timeout=self.timeout,
        )
        target = Target("localhost", path, 0, is_socket=True)
        return await HostRun(job, pack, habits, services).run([target])
