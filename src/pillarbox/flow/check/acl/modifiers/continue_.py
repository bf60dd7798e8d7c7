"""`continue` (Exim 44.12): expand something for its side effects and go on."""

from __future__ import annotations

from typing import Self

from pillarbox.flow.check.acl.condition import Modifier
from pillarbox.flow.check.acl.state import AclState
from pillarbox.language.expand.template import Template
from pillarbox.language.match.named import NamedLists


class Continue(Modifier, modifier="continue"):
    __slots__ = ("_template",)

    def __init__(self, template: Template) -> None:
        self._template = template

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        return cls(Template.parse(text))

    async def apply(self, state: AclState) -> None:
        await self._template.expand(state.scope)
