"""`authenticated` (Exim 44.17): the client has authenticated itself, by an authenticator in the list."""

from __future__ import annotations

from typing import Self

from pillarbox.flow.check.acl.condition import Condition
from pillarbox.flow.check.acl.state import AclState
from pillarbox.language.match.named import NamedLists
from pillarbox.language.match.strings import StringList


class Authenticated(Condition, condition="authenticated"):
    __slots__ = ("_list",)

    def __init__(self, wanted: StringList) -> None:
        self._list = wanted

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        return cls(StringList.parse(text, named))

    def holds_now(self, state: AclState) -> bool:
        name = state.connection.authenticator
        return bool(name) and self._list.matches_now(name, state.scope)

    async def holds(self, state: AclState) -> bool:
        name = state.connection.authenticator
        return bool(name) and await self._list.matches(name, state.scope)
