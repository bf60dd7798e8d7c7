"""lmtp: to a local delivery agent over a UNIX socket (Exim chapter 28, RFC 2033). Each recipient has a reply of its own.

Not here yet: `command` (LMTP over a pipe), `batch_id`, `ignore_quota`.
"""

from __future__ import annotations

from pillarbox.config.declare import option
from pillarbox.config.errors import CombinationError
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

    socket: Template | None = option(default=None, doc="Path of the UNIX socket.")
    command: Template | None = option(
        default=None, doc="A command to speak with in place of a socket.", inert="refused"
    )
    timeout: Duration = option(default="5m", doc="Wait this long for connecting and for each reply.")
    batch_max: int = option(default=1, doc="Recipients in one transaction.")
    batch_id: Template | None = option(
        default=None, doc="Only addresses for which this expands to the same share a delivery.", inert="noted"
    )
    ignore_quota: bool = option(
        default=False, doc="Ask the agent to deliver whatever the quota.", inert="noted"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.socket is None) is (self.command is None):
            reason = f"one (and only one) of command or socket must be set for the {self.name} transport"
            raise CombinationError(reason)

    @property
    def addresses_per_job(self) -> int:
        return max(1, self.batch_max)

    async def deliver(self, job: Job, services: TransportServices) -> list[Outcome]:
        scope = scope_of(job, services)
        try:
            path = await self.socket.expand(scope) if self.socket else ""
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
