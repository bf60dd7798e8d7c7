"""`set acl_m… = …` and `set acl_c… = …` (Exim 44.12): variables that live with the message or the connection."""

from __future__ import annotations

from typing import Self

from pillarbox.flow.check.acl.condition import AclSyntaxError, Modifier
from pillarbox.flow.check.acl.state import AclState, expand_argument
from pillarbox.language.expand.template import Template
from pillarbox.language.match.named import NamedLists


class SetVariable(Modifier, modifier="set"):
    """`parse` gets `acl_m_name value`, as the syntax file hands it over."""

    __slots__ = ("_name", "_template")

    def __init__(self, name: str, template: Template) -> None:
        self._name = name
        self._template = template

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        name, _, value = text.partition(" ")
        if not name.startswith(("acl_c", "acl_m")):
            raise AclSyntaxError("set needs a variable acl_c… or acl_m…, as in: set acl_m_score = 5")
        return cls(name, Template.parse(value))

    async def apply(self, state: AclState) -> None:
        state.facts.variables[self._name] = await expand_argument(self._template, state)
