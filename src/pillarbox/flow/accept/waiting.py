"""Whether a message is delivered at once, and how much of it: `queue_only` and its kin, `control = queue` (with any option, as in 4.100),
`control = freeze` (Exim 49.1, 14).

Most configurations have nothing to ask, and then nothing is asked.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pillarbox.flow.accept.wait_rules import AT_ONCE, QUEUED, Start
from pillarbox.flow.check.acl.modifiers.control import NO_TELL
from pillarbox.mail.progress import Frozen
from pillarbox.ports.spool import Queued, SpoolFull
from pillarbox.wire.exim.log_line import line_frozen

if TYPE_CHECKING:
    from pillarbox.flow.accept.policy import AcceptPolicy, AcceptServices


BY_ACL = "queued by ACL"
LATCH = "queue_only_load_latch"
"""Among the controls of a connection: the machine was too busy once."""


def machine_load() -> float:
    """Of one minute."""
    return os.getloadavg()[0]


def start_of(
    controls: Mapping[str, str],
    policy: AcceptPolicy,
    *,
    is_queue_only: bool = False,
    received: int = 0,
    connections: int = 0,
    is_latched: bool = False,
) -> Start:
    """`is_queue_only`: the submission asks for it (`-odq`); the others: of a session. `is_latched`: its mail waits since the machine was
    too busy (`queue_only_load_latch`)."""
    if controls:
        for name in ("queue", "queue_only"):
            if name in controls:
                return Start(is_queued=True, why=BY_ACL)
    if is_queue_only or policy.queue_only:
        return QUEUED
    if policy.wait_rules is None:
        return AT_ONCE
    if is_latched:
        return Start(is_queued=True, why=f"load average {machine_load():.2f}")
    return policy.wait_rules.start(os.path.exists, machine_load, received, connections)


async def begin(queued: Queued, controls: Mapping[str, str], start: Start, services: AcceptServices) -> None:
    """Deliver it, or let it wait. It is ours already: where the waiting room is full it is delivered at once, unless it is frozen."""
    is_frozen = "freeze" in controls
    if is_frozen:
        services.spool.record(queued.id, [Frozen(queued.envelope.received_at)])
        services.journal.main(line_frozen(queued.id, "ACL"))
        services.journal.message(queued.id, "frozen by ACL")
        if controls["freeze"] != NO_TELL:
            await services.tell_frozen(queued)
    elif not start.is_queued:
        services.deliver_local(queued) if start.is_local_only else services.deliver(queued)
        return
    if start.why and services.log_style.shows("delay_delivery"):
        services.journal.main(f"{queued.id} no immediate delivery: {start.why}")
        if start.why == BY_ACL:
            services.journal.message(queued.id, f"no immediate delivery: {start.why}")
    services.begin_log(queued)
    try:
        await services.spool.park(queued.id)
    except SpoolFull as error:
        services.journal.panic(f"{queued.id} is accepted but cannot be queued: {error}")
        if not is_frozen:
            services.deliver(queued)
