"""`recipients` (Exim 44.17): the recipient's address is in the list."""

from __future__ import annotations

from typing import Self

from pillarbox.flow.check.acl.condition import Condition
from pillarbox.flow.check.acl.state import AclState
from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.match.addresses import AddressList
from pillarbox.language.match.named import NamedLists


class Recipients(Condition, condition="recipients"):
    __slots__ = ("_list",)

    def __init__(self, wanted: AddressList) -> None:
        self._list = wanted

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        return cls(AddressList.parse(text, named))

    def holds_now(self, state: AclState) -> bool:
        if state.recipient is None:
            raise ExpansionFailed(f"cannot test {self.name} condition in {state.where.upper()} ACL")
        return self._list.matches_now(state.recipient.address, state.scope)

    async def holds(self, state: AclState) -> bool:
        if state.recipient is None:
            raise ExpansionFailed(f"cannot test {self.name} condition in {state.where.upper()} ACL")
        return await self._list.matches(state.recipient.address, state.scope)
