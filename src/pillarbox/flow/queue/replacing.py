"""`one_time`: addresses that take the place of the one that was redirected to them, once they have to wait (Exim 22.7, option one_time).

Later attempts begin with them, whatever the list then says. What had been redirected is settled in the same event that adds them, so that a
crash leaves either the one or the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec

from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Routed
from pillarbox.mail.outcome import Outcome
from pillarbox.mail.progress import Added, Progress
from pillarbox.ports.clock import Clock

NO_REPLACEMENTS: Mapping[str, Added] = MappingProxyType({})


def replacements_of(every: Sequence[Routed], clock: Clock) -> Mapping[str, Added]:
    """Address → what stands for it on the envelope when it waits."""
    found: dict[str, Added] = {}
    for routed in every:
        for candidate in _candidates(routed):
            one = candidate.once_and_for_all
            if one is not None:
                parent, first = one.parents[0].address, one.recipient.address
                found[candidate.address] = Added(one.address, clock.now(), parent, first, one.errors_to)
    return found or NO_REPLACEMENTS


def _candidates(routed: Routed) -> list[Candidate]:
    found = [assignment.candidate for assignment in routed.assignments if assignment.candidate.parents]
    return found + [candidate for candidate, _, _ in routed.postponed] if routed.postponed else found


def as_logged(outcome: Outcome, progress: Progress) -> Outcome:
    """The log tells such an address as the child of the recipient that it came from."""
    if outcome.address == outcome.recipient:
        for one in progress.replacements:
            if one.address == outcome.address:
                return msgspec.structs.replace(outcome, recipient=one.recipient)
    return outcome


def without_settled(routed: Routed, settled: frozenset[str]) -> Routed:
    """Without the descendants of an address that has been replaced: another list may lead to it again."""

    def is_open(candidate: Candidate) -> bool:
        return not any(parent.address in settled for parent in candidate.parents)

    return msgspec.structs.replace(
        routed,
        assignments=tuple(one for one in routed.assignments if is_open(one.candidate)),
        refused=tuple(one for one in routed.refused if is_open(one[0])),
        postponed=tuple(one for one in routed.postponed if is_open(one[0])),
        discarded=tuple(one for one in routed.discarded if is_open(one[0])),
    )
