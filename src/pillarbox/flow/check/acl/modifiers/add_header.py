"""`add_header` (Exim 44.15): header lines for an accepted message; repeated ones are added once."""

from __future__ import annotations

from typing import Self

from pillarbox.flow.check.acl.condition import Modifier
from pillarbox.flow.check.acl.header_lines import add_header_lines
from pillarbox.flow.check.acl.state import AclState
from pillarbox.language.expand.template import Template
from pillarbox.language.match.named import NamedLists


class AddHeader(Modifier, modifier="add_header"):
    __slots__ = ("_template",)

    def __init__(self, template: Template) -> None:
        self._template = template

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        return cls(Template.parse(text))

    async def apply(self, state: AclState) -> None:
        add_header_lines(await self._template.expand(state.scope), state.headers)
