"""What -H says is done, also where an older Pillarbox wrote it.

Those wrote `address/router` for what shares its address with something that waits, and a pipe, file or reply without its parent. The latter
is heeded for a message with one recipient only: with more, it may speak of another's, and what is not delivered is worse than what comes twice.
"""

from __future__ import annotations

from collections.abc import Sequence, Set

from pillarbox.flow.route.done_names import was_done
from pillarbox.flow.route.result import Assignment
from pillarbox.ports.spool import Queued


def without_done(assignments: Sequence[Assignment], queued: Queued) -> list[Assignment]:
    """Those that no earlier attempt has seen to."""
    settled = queued.progress.settled
    if not settled:
        return list(assignments)
    names = {one.done_name for one in assignments}
    is_alone = len(queued.envelope.recipients) == 1
    return [one for one in assignments if not _is_done(one, settled, names, is_alone=is_alone)]


def _is_done(one: Assignment, settled: Set[str], names: Set[str], *, is_alone: bool) -> bool:
    """`names`: what deliveries of this attempt are called today, so that these words are theirs."""
    if was_done(settled, one.candidate, one.transport, one.router):
        return True
    if not one.candidate.parents:
        return False
    older = {f"{one.address}/{one.router}"}
    if one.candidate.is_generated:
        older = older | {one.address} if is_alone else set()
    return not settled.isdisjoint(older - names)
