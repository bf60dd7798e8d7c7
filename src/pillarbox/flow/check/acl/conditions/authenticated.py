"""`authenticated` (Exim 44.17): the client has authenticated itself, by an authenticator in the list."""

from __future__ import annotations

from pillarbox.flow.check.acl.list_condition import ListCondition
from pillarbox.flow.check.acl.state import AclState
from pillarbox.language.match.strings import StringList


class Authenticated(ListCondition[str], condition="authenticated"):
    __slots__ = ()
    list_kind = StringList
    may_lack_subject = True

    def subject(self, state: AclState) -> str | None:
        return state.connection.authenticator or None
