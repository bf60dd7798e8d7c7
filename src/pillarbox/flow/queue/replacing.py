"""`one_time`: addresses that take the place of the one that was redirected to them, once they have to wait (Exim 22.7, option one_time).

Later attempts begin with them, whatever the list then says. What had been redirected is settled in the same event that adds them, so that a
crash leaves either the one or the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from types import MappingProxyType

import msgspec

from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.done_names import done_name
from pillarbox.flow.route.result import Routed
from pillarbox.mail.outcome import Deferred, Outcome
from pillarbox.mail.progress import Added, Progress
from pillarbox.ports.clock import Clock

NO_REPLACEMENTS: Mapping[str, Added] = MappingProxyType({})


def replacements_of(every: Sequence[Routed], clock: Clock) -> Mapping[str, Added]:
    """What it is called when it is done (`done_name`) → what stands for it on the envelope when it waits."""
    found: dict[str, Added] = {}
    for routed in every:
        for name, candidate in _candidates(routed):
            one = candidate.once_and_for_all
            if one is not None:
                parent, first = one.parents[0].address, one.recipient.address
                found[name] = Added(one.address, clock.now(), parent, first, one.errors_to)
    return found or NO_REPLACEMENTS


def replaced(pending: Sequence[Outcome], replacements: Mapping[str, Added]) -> list[Added]:
    """For what waits. An address that something else of it still waits for (a copy by `unseen`, a list without `one_time`) stays, too."""
    names = [outcome.names[0] for outcome in pending]
    found = list(dict.fromkeys(replacements[name] for name in names if name in replacements))
    if not found:
        return found
    needed = {one.address for one in found}
    for outcome in pending:
        if outcome.names[0] not in replacements:
            needed.update((outcome.address, outcome.recipient, *outcome.parents))
        if isinstance(outcome, Deferred):
            needed.update(outcome.also_for)
    return [msgspec.structs.replace(one, replaces="") if one.replaces in needed else one for one in found]


def _candidates(routed: Routed) -> Iterator[tuple[str, Candidate]]:
    for assignment in routed.assignments:
        if assignment.candidate.parents:
            yield assignment.done_name, assignment.candidate
    for candidate, _, router in routed.postponed:
        yield done_name(candidate, "", router), candidate


def as_logged(outcome: Outcome, progress: Progress) -> Outcome:
    """The log tells such an address as the child of the recipient that it came from."""
    if outcome.address == outcome.recipient:
        for one in progress.replacements:
            if one.address == outcome.address:
                return msgspec.structs.replace(outcome, recipient=one.recipient)
    return outcome


def not_come_back_to(progress: Progress) -> Set[str]:
    """An address that has been replaced is not redirected again where another list leads to it."""
    return progress.settled if progress.replacements else frozenset()
