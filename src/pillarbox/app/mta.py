"""One configuration at work: routers, transports, policy and queue, built from a Config over a World. A reload makes another one.

What is under way finishes with the old one.
"""

from __future__ import annotations

from pillarbox.app.accepting import Waiting, accept_policy, accept_services, as_lmtp, callouts_of
from pillarbox.app.delivering import build_deliveries
from pillarbox.app.foundation import Kinds, lay_foundation, own_login
from pillarbox.app.odmr import OnDemand
from pillarbox.app.server_certificates import tls_rules, usual_tls
from pillarbox.app.world import World
from pillarbox.config.model import Config
from pillarbox.flow.settings import Queueing
from pillarbox.system.tls import TlsFileError

_USUAL, _AS_CONFIGURED = Kinds(), Waiting()


class Mta:
    """Everything a session or a queue run needs of the present configuration."""

    def __init__(
        self,
        config: Config,
        world: World,
        queue_interval: float | None = None,
        *,
        waiting: Waiting = _AS_CONFIGURED,
        kinds: Kinds = _USUAL,
    ) -> None:
        """`queue_interval` (seconds), `waiting`: in place of the configuration's. A certificate that cannot be had is no hindrance: who says
        STARTTLS hears of that. Raises ConfigError."""
        queueing = config.main(Queueing)
        self.config, self.world = config, world
        base = self._base = lay_foundation(config, world, kinds)
        self.local_host, self.expansion, self.chain = base.local_host, base.expansion, base.chain
        self.tls_rules = tls_rules(config)
        found = usual_tls(self.tls_rules, base.expansion)
        self.tls = None if isinstance(found, TlsFileError) else found
        self.tls_trouble = str(found) if isinstance(found, TlsFileError) else ""
        """Why there is no certificate, though one is configured."""
        interval = queueing.queue_run_interval if queue_interval is None else queue_interval
        deliveries = build_deliveries(base, interval)
        self.delivery, self.lane, self.runner = deliveries.delivery, deliveries.lane, deliveries.runner
        self.admin, self.injection = deliveries.admin, deliveries.injection
        self.policy = accept_policy(base, self.tls_rules, waiting)
        self.lmtp_policy = as_lmtp(self.policy)
        self.callouts = callouts_of(base, deliveries.transport_services)
        on_demand = OnDemand(base, deliveries, interval)
        self.accept_services = accept_services(
            base, self.policy, deliveries, waiting, self.callouts, on_demand
        )

    @property
    def login(self) -> str:
        """Whom we run as."""
        return own_login()

    async def retire(self) -> None:
        """Finish what this configuration has begun."""
        await self.lane.drain()
        await self.runner.settle_down()
        if self.accept_services.etrn_command is not None:
            await self.accept_services.etrn_command.settle_down()
