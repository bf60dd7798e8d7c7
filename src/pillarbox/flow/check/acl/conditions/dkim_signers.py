"""`dkim_signers` (Exim 58.1.2): the domain or identity that `acl_smtp_dkim` is asked about is in the list."""

from __future__ import annotations

from pillarbox.flow.check.acl.list_condition import ListCondition
from pillarbox.flow.check.acl.state import AclState
from pillarbox.flow.facets.authentication import DkimFacts
from pillarbox.language.match.strings import StringList


class DkimSigners(ListCondition[str], condition="dkim_signers"):
    __slots__ = ()
    list_kind = StringList

    def subject(self, state: AclState) -> str | None:
        facts = state.scope.facet(DkimFacts)
        return None if facts is None else facts.cur_signer
