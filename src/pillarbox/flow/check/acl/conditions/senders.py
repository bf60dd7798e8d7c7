"""`senders` (Exim 44.17): the envelope sender is in the list; an empty item is the null sender."""

from __future__ import annotations

from typing import Self

from pillarbox.flow.check.acl.condition import Condition
from pillarbox.flow.check.acl.state import AclState
from pillarbox.language.match.addresses import AddressList
from pillarbox.language.match.named import NamedLists


class Senders(Condition, condition="senders"):
    __slots__ = ("_list",)

    def __init__(self, wanted: AddressList) -> None:
        self._list = wanted

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        return cls(AddressList.parse(text, named))

    def holds_now(self, state: AclState) -> bool:
        return self._list.matches_now(state.facts.sender or "", state.scope)

    async def holds(self, state: AclState) -> bool:
        return await self._list.matches(state.facts.sender or "", state.scope)
