"""`hosts` (Exim 44.17): the sending host is in the list; an empty item is a message that did not come by TCP/IP."""

from __future__ import annotations

from typing import Self

from pillarbox.flow.check.acl.condition import Condition
from pillarbox.flow.check.acl.state import AclState
from pillarbox.language.match.hosts import HostList, HostSubject
from pillarbox.language.match.named import NamedLists


class Hosts(Condition, condition="hosts"):
    __slots__ = ("_list",)

    def __init__(self, wanted: HostList) -> None:
        self._list = wanted

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        return cls(HostList.parse(text, named))

    def holds_now(self, state: AclState) -> bool:
        return self._list.matches_now(_subject(state), state.scope)

    async def holds(self, state: AclState) -> bool:
        return await self._list.matches(_subject(state), state.scope)


def _subject(state: AclState) -> HostSubject:
    return HostSubject(state.connection.host_address, lambda: state.connection.host_name or None)
