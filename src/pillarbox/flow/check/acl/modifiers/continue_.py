"""`continue` (Exim 44.12): expand something for its side effects and go on."""

from __future__ import annotations

from pillarbox.flow.check.acl.state import AclState, expand_argument
from pillarbox.flow.check.acl.templated import TemplateModifier


class Continue(TemplateModifier, modifier="continue"):
    __slots__ = ()

    async def apply(self, state: AclState) -> None:
        await expand_argument(self._template, state)
