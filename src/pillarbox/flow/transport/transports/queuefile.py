"""queuefile: copy the spool files of a message elsewhere (an experiment of Exim's, in few programs). Declared; it does not run yet."""

from __future__ import annotations

from pillarbox.config.declare import option
from pillarbox.flow.transport.job import Job
from pillarbox.flow.transport.outcomes import defer_all
from pillarbox.flow.transport.services import TransportServices
from pillarbox.flow.transport.transport import Transport
from pillarbox.language.expand.template import Template
from pillarbox.mail.outcome import Outcome
from pillarbox.mail.reply import Reason


class QueueFile(Transport, driver="queuefile", inert="refused"):
    """Copy the message as it lies in the queue."""

    directory: Template | None = option(default=None, doc="Where to.")

    async def deliver(self, job: Job, services: TransportServices) -> list[Outcome]:
        return defer_all(job, Reason(f"{self.name} transport: the driver queuefile cannot run yet"))
