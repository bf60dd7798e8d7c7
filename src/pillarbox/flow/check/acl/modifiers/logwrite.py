"""`logwrite` (Exim 44.12): a line in the main log at once."""

from __future__ import annotations

from pillarbox.flow.check.acl.state import AclState
from pillarbox.flow.check.acl.template_modifier import TemplateModifier


class Logwrite(TemplateModifier, modifier="logwrite"):
    __slots__ = ()

    async def apply(self, state: AclState) -> None:
        state.services.log.main(await self._template.expand(state.scope))
