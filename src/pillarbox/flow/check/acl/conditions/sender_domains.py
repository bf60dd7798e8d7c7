"""`sender_domains` (Exim 44.17): the domain of the envelope sender is in the list."""

from __future__ import annotations

from pillarbox.flow.check.acl.list_condition import ListCondition
from pillarbox.flow.check.acl.state import AclState
from pillarbox.language.match.domains import DomainList
from pillarbox.mail.address import split_address


class SenderDomains(ListCondition[str], condition="sender_domains"):
    __slots__ = ()
    list_kind = DomainList

    def subject(self, state: AclState) -> str:
        return split_address(state.facts.sender or "")[1]
