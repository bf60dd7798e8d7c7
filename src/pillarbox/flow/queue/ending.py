"""What a system filter delivers although it freezes or defers the message (Exim 47.5): settled, while the message itself stays.

Only what is durable, and only failures that somebody has been told of: the rest comes back with the message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from pillarbox.flow.queue.routed import ErrorsTo
from pillarbox.flow.queue.settle import Settler
from pillarbox.mail.outcome import Deferred, Outcome
from pillarbox.mail.progress import Added, Settled
from pillarbox.ports.spool import Queued


async def done_before_end(
    settler: Settler,
    queued: Queued,
    came: tuple[Sequence[Outcome], ErrorsTo, Mapping[str, Added], Set[int]],
    now: float,
) -> list[Settled]:
    """`came`: as `Settler.settle` takes it. Raises OSError, DeliveryFailure when it cannot be made durable."""
    settlement = await settler.settle(queued, *came)
    if settlement.needs_sync:
        await settler.sync()
    ended = [each for each in came[0] if not isinstance(each, Deferred)]
    if settlement.is_complete:
        names = [each.names[0] for each in ended]
    else:
        names = [name for each in ended for name in each.names]
        settled = {event.address for event in settlement.events if isinstance(event, Settled)}
        names = [name for name in names if name in settled]
    return [Settled(name, now) for name in dict.fromkeys(names)]
