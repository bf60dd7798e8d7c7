"""`recipients` (Exim 44.17): the recipient's address is in the list."""

from __future__ import annotations

from pillarbox.flow.check.acl.list_condition import ListCondition
from pillarbox.flow.check.acl.state import AclState
from pillarbox.language.match.addresses import AddressList


class Recipients(ListCondition[str], condition="recipients"):
    __slots__ = ()
    list_kind = AddressList
    keeps_data = "recipient"

    def subject(self, state: AclState) -> str:
        return self.recipient(state).address
