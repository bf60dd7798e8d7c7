"""`encrypted` (Exim 44.17): the connection is under TLS, with a cipher in the list (`*`: any)."""

from __future__ import annotations

from pillarbox.flow.check.acl.list_condition import ListCondition
from pillarbox.flow.check.acl.state import AclState
from pillarbox.language.match.strings import StringList


class Encrypted(ListCondition[str], condition="encrypted"):
    __slots__ = ()
    list_kind = StringList
    may_lack_subject = True

    def subject(self, state: AclState) -> str | None:
        return state.connection.tls_cipher or None
