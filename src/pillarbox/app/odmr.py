"""On-demand relay (RFC 2645; Exim 49.2.7): a client has said ATRN, and the mail that waits for it goes out over its own connection.

Such a run has a queue runner, transports and kept connections of its own, for which `$atrn_host` is the client and the client's port is reached
over the connection that is there. Routing, retry times and the queue are those of everybody.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import msgspec

from pillarbox.app.delivering import Deliveries, build_deliveries
from pillarbox.app.foundation import Foundation
from pillarbox.app.world import World
from pillarbox.backends.spool.local import LocalSpool
from pillarbox.flow.accept.turning import Customer
from pillarbox.flow.facets.session import SessionFacts
from pillarbox.flow.queue.runner import QueueRun, QueueRunner
from pillarbox.flow.transport.keep import ConnectionKeep
from pillarbox.flow.transport.turned import TurnedNetwork
from pillarbox.language.expand.scope import Services
from pillarbox.mail.address import split_address
from pillarbox.ports.network import Connection, DialError
from pillarbox.ports.spool import Spool

BREATH = 50
"""Entries of the queue looked at in a row; others have their turn behind them."""
GREETING = 300.0
"""Seconds that a client has to greet us when there is nothing to send (RFC 5321 §4.5.3.2.1)."""


class OnDemand:
    """Of one configuration."""

    __slots__ = ("_base", "_interval", "_usual")

    def __init__(self, base: Foundation, usual: Deliveries, interval: float) -> None:
        """`usual`: who delivers everybody else's mail. `interval`: seconds between queue runs, which warnings tell."""
        self._base = base
        self._usual = usual
        self._interval = interval

    async def waiting_domains(self, queue: str) -> frozenset[str]:
        """Lower case: of the recipients that messages in that queue still have."""
        world = self._base.world
        spool = _seen_from(world.spool, queue)
        found: set[str] = set()
        for count, message_id in enumerate(spool.waiting()):
            if count % BREATH == BREATH - 1:
                await world.clock.sleep(0.0)
            entry = spool.entry(message_id)
            if entry is not None:
                left = (one for one in entry.recipients if one not in entry.settled)
                found.update(split_address(one)[1].lower() for one in left)
        return frozenset(found)

    async def serve(self, customer: Customer) -> None:
        """Send it all, and take leave (`flow.accept.turning.Serve`)."""
        world = copy(self._base.world)
        network = world.network = TurnedNetwork(
            world.network, customer.connection, customer.address, customer.port
        )
        world.keep = ConnectionKeep(world.clock)
        world.queue = customer.queue
        wish = QueueRun(
            is_by_hand=True,
            domains=customer.domains.waiting,
            domains_shown=customer.domains.shown,
        )
        try:
            await self._runner(world, customer).run(wish)
            await world.keep.quit()
            if network.unused is not None:
                await _take_leave(network.unused)
        finally:
            world.keep.close()

    def _runner(self, world: World, customer: Customer) -> QueueRunner:
        base = self._base
        place = f"[{customer.address}]:{customer.port}"
        facts: dict[type, object] = {SessionFacts: SessionFacts(atrn_host=place, atrn_mode="P")}
        usual = base.expansion
        expansion = Services(usual.lookups, usual.resolver, usual.clock, {**usual.facts, **facts})
        routing = replace(base.routing, language=expansion)
        own = msgspec.structs.replace(
            base,
            world=world,
            expansion=expansion,
            routing=routing,
            chain=base.kinds.chain(base.config.routers, routing),
        )
        made = build_deliveries(own, self._interval)
        runner, usual_letters = made.runner, self._usual.injection
        made.transport_services.waiting = None  # who waits for a host of that name is not this client
        made.transport_services.keeps_idle = True  # one connection is all there is
        # Bounces are no mail for this client, either.
        made.injection.complete = usual_letters.complete
        made.injection.first_delivery = usual_letters.first_delivery
        made.transport_services.inject = self._usual.transport_services.inject
        spool = _seen_from(world.spool, customer.queue)
        return runner if spool is world.spool else runner.beside(customer.queue, spool, 0.0, 1)


def _seen_from(spool: Spool, queue: str) -> Spool:
    return spool.named(queue) if queue and isinstance(spool, LocalSpool) else spool


async def _take_leave(connection: Connection) -> None:
    """Of a client for whom there was nothing."""
    try:
        await connection.read(GREETING)
        await connection.write(b"QUIT\r\n", GREETING)
        await connection.read(GREETING)
    except DialError:
        return
