"""`message` (Exim 44.12): what the peer reads when this statement decides."""

from __future__ import annotations

from pillarbox.flow.check.acl.state import AclState
from pillarbox.flow.check.acl.templated import TemplateModifier


class Message(TemplateModifier, modifier="message"):
    __slots__ = ()

    def apply_now(self, state: AclState) -> None:
        state.message = self._template
