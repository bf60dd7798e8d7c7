"""`log_message` (Exim 44.12): what the log says when this statement decides."""

from __future__ import annotations

from typing import Self

from pillarbox.flow.check.acl.condition import Modifier
from pillarbox.flow.check.acl.state import AclState
from pillarbox.language.expand.template import Template
from pillarbox.language.match.named import NamedLists


class LogMessage(Modifier, modifier="log_message"):
    __slots__ = ("_template",)

    def __init__(self, template: Template) -> None:
        self._template = template

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        return cls(Template.parse(text))

    async def apply(self, state: AclState) -> None:
        state.log_message = self._template
