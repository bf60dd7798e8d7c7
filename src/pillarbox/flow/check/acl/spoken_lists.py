"""Lists that say how they are gone through, item by item (`exim -bh`, Exim 5.2), in Exim's words.

A list is gone through once more for the telling, before it is asked for good: what answers does not know that anybody listens. What named
lists said is remembered for the recipient in hand, as Exim does, and told as `cached`. A list that ends because a name or an address cannot be
found leaves all that is told behind it one column further to the right, as Exim's does.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from typing import Any

from pillarbox.flow.check.acl.list_condition import ListCondition
from pillarbox.flow.check.acl.state import AclState, CheckMemory
from pillarbox.flow.check.name_tale import NameTale
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope, Services, replay
from pillarbox.language.match.addresses import AddressList, domain_asked
from pillarbox.language.match.core import MatchList
from pillarbox.language.match.domains import DomainList
from pillarbox.language.match.host_names import AddressesOf, ClientName, HostSubject
from pillarbox.language.match.hosts import Decided, HostList, need_of
from pillarbox.language.match.items import Item
from pillarbox.language.match.named import NamedLists
from pillarbox.language.match.steps import Step
from pillarbox.language.match.unknown_hosts import UnknownHosts
from pillarbox.language.printing import EMPTY

_BAR_EVERY = 4
_SEPARATED = re.compile(r"<[^\w\s]")
"""A list that names its separator."""


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

    async def of(self, condition: ListCondition[Any], state: AclState, say: Callable[[str], None]) -> None:
        """How the condition is going to find its answer. Nothing where it has no subject, or cannot be asked."""
        try:
            subject = condition.subject(state)
        except ExpansionFailed:
            return
        if subject is None:
            return
        self._forget(state)
        memory = state.memory.connection
        tale = _Tale(self._known, say, memory.indent)
        scope = _quiet(state.scope)
        await tale.tell(condition.match_list, subject, scope, state.depth - 1)
        memory.indent = tale.indent

    async def of_option(
        self,
        name: str,
        of: MatchList[Any],
        subject: Any,
        scope: Scope,
        memory: CheckMemory,
        say: Callable[[str], None],
    ) -> bool:
        """The same of a main option. Whether it matches."""
        self._forget_connection(memory.connection)
        tale = _Tale(self._known, say, memory.connection.indent)
        matches = await tale.tell(of, subject, _quiet(scope), 0, name)
        memory.connection.indent = tale.indent
        return matches

    def _forget_connection(self, connection: CheckMemory) -> None:
        """What was about another client."""
        if connection is not self._connection:
            self._connection = connection
            self._known.clear()

    def _forget(self, state: AclState) -> None:
        """What was about another client, and what was about another recipient."""
        self._forget_connection(state.memory.connection)
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
    """One telling. It begins anew each time an answer has come; what was said then is not said again."""

    __slots__ = ("_began_at", "_found", "_known", "_lines", "_out", "_said", "indent")

    def __init__(
        self, known: dict[tuple[str, str, str], str | None], out: Callable[[str], None], indent: int
    ) -> None:
        self._known = known
        self._found: dict[tuple[str, str, str], str | None] = {}
        self._out = out
        self._said = self._lines = 0
        self.indent = self._began_at = indent

    async def tell(self, of: MatchList[Any], subject: Any, scope: Scope, depth: int, name: str = "") -> bool:
        """`name`: of the option that is asked. Whether the subject is in the list; false where that cannot be said."""
        matches = False

        def begin(run: Scope) -> bool:
            self._lines, self.indent = 0, self._began_at
            self._found = dict(self._known)
            return self.told(of, subject, run, depth, name) is not None

        with contextlib.suppress(ExpansionDeferred, ExpansionFailed):  # who asks for good is going to say so
            matches = await replay(scope, begin)
            self._known.update(self._found)
        return matches

    def _say(self, depth: int, text: str) -> None:
        self._lines += 1
        if self._lines > self._said:
            self._said = self._lines
            self._out(indented(depth + self.indent, text))

    def told(self, of: MatchList[Any], subject: Any, scope: Scope, depth: int, name: str = "") -> str | None:
        """The data of what matched; None: nothing did."""
        if "$" in of.source:
            self._say(depth, "expand list text")
        text, items = of.items_now(scope)
        who = "host" if isinstance(of, HostList) else subject
        shown = text[2:] if _SEPARATED.match(text) else text
        question = f"{who} in {name}?" if name else f'{who} in "{shown}"?'
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
                self.indent += 1
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
        if isinstance(of, HostList):
            self._host_needs(item, subject, scope, depth)
        if isinstance(of, AddressList) and (asked := domain_asked(item.text, subject)) is not None:
            self.told(DomainList(asked, NamedLists()), subject.rpartition("@")[2], scope, depth)
        if step.lines is None:
            return step.match(subject, scope), ""
        found = ((line, line.match(subject, scope)) for line in step.lines(scope))
        line, data = next(((line, data) for line, data in found if data is not None), (step, None))
        return (None if line.is_negated else data), ""

    def _host_needs(self, item: Item, subject: HostSubject, scope: Scope, depth: int) -> None:
        """What has to be found out for the item, and how that goes."""
        need = need_of(item.text)
        client = scope.facet(ClientName)
        if not need or not subject.address or subject.is_address_only:
            return
        if need == "addresses":
            addresses = scope.ask(AddressesOf(item.text.lower()))
            if addresses:
                self._say(depth, "gethostbyname2 looked up these IP addresses:")
            for address in sorted(addresses):
                self._say(depth, f"  name={item.text} address={address}")
        elif client is not None and not client.name:
            self._say(depth, f"sender host name required, to match against {item.text}")
            is_asked = not (client.is_known or client.is_deferred)
            for line in scope.ask(NameTale(subject.address)) if is_asked else ():
                self._say(depth + 1 + line.depth, line.text)

    def _named(
        self, of: MatchList[Any], item: Item, subject: Any, scope: Scope, depth: int
    ) -> tuple[str | None, str]:
        name = item.text[1:]
        self._say(depth, f" start sublist {name}")
        key = of.kind, name, str(getattr(subject, "address", subject))
        if key in self._found:
            data = self._found[key]
            self._say(depth, f"cached {'no' if data is None else 'yes'} match for +{name}")
            self._say(depth, f"cached lookup data = {data or 'NULL'}")
            return data, " - cached"
        data = self._found[key] = self.told(of.named(item), subject, scope, depth + 2)
        self._say(depth, f" end sublist {name}")
        if data:
            self._say(depth, f"data from lookup saved for cache for +{name}: key '{subject}' value '{data}'")
        return data, ""
