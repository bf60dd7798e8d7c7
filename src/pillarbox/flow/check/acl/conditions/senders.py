"""`senders` (Exim 44.17): the envelope sender is in the list; an empty item is the null sender."""

from __future__ import annotations

from pillarbox.flow.check.acl.list_condition import ListCondition
from pillarbox.flow.check.acl.state import AclState
from pillarbox.language.match.addresses import AddressList


class Senders(ListCondition[str], condition="senders"):
    __slots__ = ()
    list_kind = AddressList
    keeps_data = "sender"

    def subject(self, state: AclState) -> str:
        return state.facts.sender or ""
