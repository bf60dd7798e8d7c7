"""`remove_header` (Exim 44.16): header lines taken out of an accepted message: colon-separated names."""

from __future__ import annotations

from pillarbox.flow.check.acl.state import AclState, expand_argument
from pillarbox.flow.check.acl.templated import TemplateModifier


class RemoveHeader(TemplateModifier, modifier="remove_header"):
    __slots__ = ()

    async def apply(self, state: AclState) -> None:
        names = await expand_argument(self._template, state)
        for name in names.split(":"):
            if name.strip():
                state.headers.remove(name.strip().lower())
