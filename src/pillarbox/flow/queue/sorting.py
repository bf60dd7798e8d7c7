"""`remote_sort_domains`: which domains' deliveries are begun first (Exim 14).

Addresses of the first item's domains come first, then those of the second's, then the rest. At each item those that do not match but stood in
front of one that does go behind the others that do not match, as with Exim. Deliveries run side by side (`remote_max_parallel`), so this decides
who begins, not who is done first.
"""

from __future__ import annotations

from collections.abc import Sequence

from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.route.result import Assignment
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope, Services, replay
from pillarbox.language.match.domains import DomainList
from pillarbox.ports.spool import Queued


class RemoteOrder:
    """`lists`: one for each item of the option."""

    __slots__ = ("_lists", "_services")

    def __init__(self, lists: Sequence[DomainList], services: Services) -> None:
        self._lists = tuple(lists)
        self._services = services

    async def arranged(self, queued: Queued, assignments: Sequence[Assignment]) -> list[Assignment]:
        scope = Scope({MessageFacts: MessageFacts.of(queued.envelope, queued.message)}, self._services)
        places = {domain: await self._place_of(domain, scope) for domain in {a.domain for a in assignments}}
        arranged: list[Assignment] = []
        rest = list(assignments)
        for item in range(len(self._lists)):
            matching = [number for number, one in enumerate(rest) if places[one.domain] == item]
            if not matching:
                continue
            arranged += [rest[number] for number in matching]
            passed_over = [one for one in rest[: matching[-1]] if places[one.domain] != item]
            rest = rest[matching[-1] + 1 :] + passed_over
        return arranged + rest

    async def _place_of(self, domain: str, scope: Scope) -> int:
        """Of the first item that matches. One that cannot be searched matches nothing: the order is a wish."""
        for place, domains in enumerate(self._lists):
            try:
                if await replay(scope, lambda run, domains=domains: domains.matches_now(domain, run)):  # type: ignore[misc]
                    return place
            except (ExpansionFailed, ExpansionDeferred):
                continue
        return len(self._lists)
