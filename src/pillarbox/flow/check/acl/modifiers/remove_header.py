"""`remove_header` (Exim 44.16): header lines taken out of an accepted message: colon-separated names."""

from __future__ import annotations

from typing import Self

from pillarbox.flow.check.acl.condition import Modifier
from pillarbox.flow.check.acl.state import AclState
from pillarbox.language.expand.template import Template
from pillarbox.language.match.named import NamedLists


class RemoveHeader(Modifier, modifier="remove_header"):
    __slots__ = ("_template",)

    def __init__(self, template: Template) -> None:
        self._template = template

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        return cls(Template.parse(text))

    async def apply(self, state: AclState) -> None:
        names = await self._template.expand(state.scope)
        for name in names.split(":"):
            if name.strip():
                state.headers.remove(name.strip().lower())
