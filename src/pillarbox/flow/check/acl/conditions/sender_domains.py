"""`sender_domains` (Exim 44.17): the domain of the envelope sender is in the list."""

from __future__ import annotations

from typing import Self

from pillarbox.flow.check.acl.condition import Condition
from pillarbox.flow.check.acl.state import AclState
from pillarbox.language.match.domains import DomainList
from pillarbox.language.match.named import NamedLists
from pillarbox.mail.address import split_address


class SenderDomains(Condition, condition="sender_domains"):
    __slots__ = ("_list",)

    def __init__(self, wanted: DomainList) -> None:
        self._list = wanted

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        return cls(DomainList.parse(text, named))

    def holds_now(self, state: AclState) -> bool:
        return self._list.matches_now(split_address(state.facts.sender or "")[1], state.scope)

    async def holds(self, state: AclState) -> bool:
        return await self._list.matches(split_address(state.facts.sender or "")[1], state.scope)
