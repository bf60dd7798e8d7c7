"""`dkim_status` (Exim 58.1.2): what became of the signature in hand, or behind `acl_smtp_dkim` of any. No signature counts as `none`."""

from __future__ import annotations

from pillarbox.flow.check.acl.condition import Condition
from pillarbox.flow.check.acl.state import AclState
from pillarbox.flow.facets.authentication import DkimFacts
from pillarbox.language.match.named import NamedLists
from pillarbox.language.match.strings import StringList


class DkimStatus(Condition, condition="dkim_status"):
    __slots__ = ("_list",)

    def __init__(self, wanted: StringList) -> None:
        self._list = wanted

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> DkimStatus:
        return cls(StringList.parse(text, named))

    async def holds(self, state: AclState) -> bool:
        facts = state.scope.facet(DkimFacts)
        statuses = facts.verify_status if facts is not None else ""
        for status in statuses.split(":"):
            if await self._list.match_data(status or "none", state.scope) is not None:
                return True
        return False
