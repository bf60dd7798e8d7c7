"""`set acl_m… = …` and `set acl_c… = …` (Exim 44.12): variables that live with the message or the connection."""

from __future__ import annotations

from typing import Self

from pillarbox.flow.check.acl.condition import AclSyntaxError, Modifier
from pillarbox.flow.check.acl.state import AclState, expand_argument
from pillarbox.flow.facets.authentication import DkimFacts
from pillarbox.language.expand.template import Template
from pillarbox.language.match.named import NamedLists

_OF_DKIM = {"dkim_verify_status": "verify_status", "dkim_verify_reason": "verify_reason"}
"""What `acl_smtp_dkim` may change of a signature's verification (Exim 58.1.2)."""


class SetVariable(Modifier, modifier="set"):
    """`parse` gets `acl_m_name value`, as the syntax file hands it over."""

    __slots__ = ("_name", "_template")

    def __init__(self, name: str, template: Template) -> None:
        self._name = name
        self._template = template

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        name, _, value = text.partition(" ")
        if not name.startswith(("acl_c", "acl_m")) and name not in _OF_DKIM:
            raise AclSyntaxError("set needs a variable acl_c… or acl_m…, as in: set acl_m_score = 5")
        return cls(name, Template.parse(value))

    async def apply(self, state: AclState) -> None:
        if self._name in _OF_DKIM:
            await self._set_verdict(state)
            return
        state.facts.variables[self._name] = await expand_argument(self._template, state)

    async def _set_verdict(self, state: AclState) -> None:
        value = await expand_argument(self._template, state)
        facts = state.scope.facet(DkimFacts)
        if facts is not None:
            setattr(facts, _OF_DKIM[self._name], value)
            facts.is_overwritten = True
