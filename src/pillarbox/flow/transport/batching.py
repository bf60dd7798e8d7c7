"""Several addresses in one delivery (Exim chapter 25): the options of the local transports that can."""

from __future__ import annotations

from pillarbox.config.declare import option
from pillarbox.flow.transport.transport import Transport
from pillarbox.language.expand.template import Template


class Batching(Transport):
    """A transport with `batch_max` and `batch_id`."""

    batch_id: Template | None = option(
        default=None, doc="Only addresses for which this expands to the same share a delivery."
    )
    batch_max: int = option(default=1, doc="Addresses in one delivery.")

    @property
    def addresses_per_job(self) -> int:
        return max(1, self.batch_max)

    @property
    def batching(self) -> Template | None:
        return self.batch_id
