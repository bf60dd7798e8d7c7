"""`log_message` (Exim 44.12): what the log says when this statement decides."""

from __future__ import annotations

from pillarbox.flow.check.acl.state import AclState
from pillarbox.flow.check.acl.templated import TemplateModifier


class LogMessage(TemplateModifier, modifier="log_message"):
    __slots__ = ()

    def apply_now(self, state: AclState) -> None:
        state.log_message = self._template
