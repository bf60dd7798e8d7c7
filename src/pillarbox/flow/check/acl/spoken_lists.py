"""Lists that say how they are gone through, item by item (`exim -bh`, Exim 5.2), in Exim's words.

A list is gone through once more for the telling, before it is asked for good: what answers does not know that anybody listens. What named
lists said is remembered for the recipient in hand, as Exim does, and told as `cached`. Not told: what the DNS is asked on the way.
"""

from __future__ import annotations

import contextlib
from typing import Any

from pillarbox.flow.check.acl.list_condition import ListCondition
from pillarbox.flow.check.acl.state import AclState
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope, Services, replay
from pillarbox.language.match.addresses import AddressList, domain_asked
from pillarbox.language.match.core import MatchList
from pillarbox.language.match.domains import DomainList
from pillarbox.language.match.hosts import Decided, HostList
from pillarbox.language.match.items import Item
from pillarbox.language.match.named import NamedLists
from pillarbox.language.match.steps import Step
from pillarbox.language.match.unknown_hosts import UnknownHosts
from pillarbox.language.printing import EMPTY

_BAR_EVERY = 4


def indented(depth: int, text: str) -> str:
    """With a bar in every fourth column, for the eye."""
    return "".join("╎" if column % _BAR_EVERY == 3 else " " for column in range(depth)) + text


class ListTales:
    """What a configuration's named lists have said lately."""

    __slots__ = ("_connection", "_known", "_recipient")

    def __init__(self) -> None:
        self._connection: object = None
        self._recipient: object = None
        self._known: dict[tuple[str, str, str], str | None] = {}

    async def of(self, condition: ListCondition[Any], state: AclState) -> list[str]:
        """How the condition is going to find its answer. Nothing where it has no subject, or cannot be asked."""
        try:
            subject = condition.subject(state)
        except ExpansionFailed:
            return []
        if subject is None:
            return []
        self._forget(state)
        tale = _Tale(self._known)
        scope = _quiet(state.scope)

        def tell(run: Scope) -> None:
            tale.lines.clear()
            tale.told(condition.match_list, subject, run, state.depth - 1)

        with contextlib.suppress(
            ExpansionDeferred, ExpansionFailed
        ):  # the condition itself is going to say so
            await replay(scope, tell)
        return tale.lines

    def _forget(self, state: AclState) -> None:
        """What was about another client, and what was about another recipient."""
        if state.memory.connection is not self._connection:
            self._connection = state.memory.connection
            self._known.clear()
        if state.recipient is not self._recipient:
            self._recipient = state.recipient
            self._known = {key: data for key, data in self._known.items() if key[0] in ("host", "address")}


def _quiet(scope: Scope) -> Scope:
    """Where hosts that are not known are not logged a second time."""
    services = scope.services
    facts = {kind: facet for kind, facet in services.facts.items() if kind is not UnknownHosts}
    copy = scope.with_facets({})
    copy.services = Services(services.lookups, services.resolver, services.clock, facts)
    return copy


class _Tale:
    __slots__ = ("_known", "lines")

    def __init__(self, known: dict[tuple[str, str, str], str | None]) -> None:
        self._known = known
        self.lines: list[str] = []

    def _say(self, depth: int, text: str) -> None:
        self.lines.append(indented(depth, text))

    def told(self, of: MatchList[Any], subject: Any, scope: Scope, depth: int) -> str | None:
        """The data of what matched; None: nothing did."""
        if "$" in of.source:
            self._say(depth, "expand list text")
        text, items = of.items_now(scope)
        question = f'{"host" if isinstance(of, HostList) else subject} in "{text}"?'
        self._say(depth, question)
        ends_negated = False
        for item, step in items:
            written = f"{'!' if item.is_negated else ''}{item.text}"
            self._say(depth + 1, f"list element: {written or EMPTY}")
            ends_negated = item.is_negated
            try:
                data, note = self._item(of, item, step, subject, scope, depth + 1)
            except Decided as decided:
                self._say(depth + 1, f"{question} {'yes' if decided.matches else 'no'} ({decided.why})")
                return "" if decided.matches else None
            if data is not None:
                answer = "no" if item.is_negated else "yes"
                self._say(depth + 1, f'{question} {answer} (matched "{written}"{note})')
                return None if item.is_negated else data
        self._say(depth, f"{question} {'yes' if ends_negated else 'no'} (end of list)")
        return "" if ends_negated else None

    def _item(
        self, of: MatchList[Any], item: Item, step: Step[Any] | None, subject: Any, scope: Scope, depth: int
    ) -> tuple[str | None, str]:
        """Its data, and what to say behind a match."""
        if step is None:
            return None, ""
        if step.is_list:
            return self._named(of, item, subject, scope, depth)
        if isinstance(of, AddressList) and (asked := domain_asked(item.text, subject)) is not None:
            self.told(DomainList(asked, NamedLists()), subject.rpartition("@")[2], scope, depth)
        if step.lines is None:
            return step.match(subject, scope), ""
        found = ((line, line.match(subject, scope)) for line in step.lines(scope))
        line, data = next(((line, data) for line, data in found if data is not None), (step, None))
        return (None if line.is_negated else data), ""

    def _named(
        self, of: MatchList[Any], item: Item, subject: Any, scope: Scope, depth: int
    ) -> tuple[str | None, str]:
        name = item.text[1:]
        self._say(depth, f" start sublist {name}")
        key = of.kind, name, str(getattr(subject, "address", subject))
        if key in self._known:
            data = self._known[key]
            self._say(depth, f"cached {'no' if data is None else 'yes'} match for +{name}")
            self._say(depth, f"cached lookup data = {data or 'NULL'}")
            return data, " - cached"
        data = self._known[key] = self.told(of.named(item), subject, scope, depth + 2)
        self._say(depth, f" end sublist {name}")
        if data:
            self._say(depth, f"data from lookup saved for cache for +{name}: key '{subject}' value '{data}'")
        return data, ""
