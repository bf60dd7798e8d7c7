"""`add_header` (Exim 44.15): header lines for an accepted message; repeated ones are added once."""

from __future__ import annotations

from pillarbox.flow.check.acl.header_lines import add_header_lines
from pillarbox.flow.check.acl.state import AclState, expand_argument
from pillarbox.flow.check.acl.templated import TemplateModifier


class AddHeader(TemplateModifier, modifier="add_header"):
    __slots__ = ()

    async def apply(self, state: AclState) -> None:
        add_header_lines(await expand_argument(self._template, state), state.headers)
