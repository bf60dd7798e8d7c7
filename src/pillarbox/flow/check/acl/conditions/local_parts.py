"""`local_parts` (Exim 44.17): the recipient's local part is in the list."""

from __future__ import annotations

from pillarbox.flow.check.acl.list_condition import ListCondition
from pillarbox.flow.check.acl.state import AclState
from pillarbox.language.match.local_parts import LocalPartList


class LocalParts(ListCondition[str], condition="local_parts"):
    __slots__ = ()
    list_kind = LocalPartList
    keeps_data = "local_part"

    def subject(self, state: AclState) -> str:
        return self.recipient(state).local_part
