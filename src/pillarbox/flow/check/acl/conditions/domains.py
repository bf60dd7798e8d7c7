"""`domains` (Exim 44.17): the recipient's domain is in the list."""

from __future__ import annotations

from pillarbox.flow.check.acl.list_condition import ListCondition
from pillarbox.flow.check.acl.state import AclState
from pillarbox.language.match.domains import DomainList


class Domains(ListCondition[str], condition="domains"):
    __slots__ = ()
    list_kind = DomainList
    keeps_data = "domain"

    def subject(self, state: AclState) -> str:
        return self.recipient(state).domain
