"""`condition` (Exim 44.17): the expansion gives anything but `0`, `no`, `false` or nothing."""

from __future__ import annotations

from typing import Self

from pillarbox.flow.check.acl.condition import Condition
from pillarbox.flow.check.acl.state import AclState
from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.template import Template
from pillarbox.language.match.named import NamedLists

_FALSE = frozenset({"", "0", "no", "false"})
_TRUE = frozenset({"yes", "true"})


def read_truth(text: str) -> bool:
    """Exim's reading of the result; a text that is neither is an error, so that a typing mistake lets nobody in."""
    word = text.strip().lower()
    if word in _FALSE:
        return False
    if word in _TRUE or word.lstrip("-").isdigit():
        return True
    raise ExpansionFailed(f'invalid "condition" value {text!r}')


class ExpandedCondition(Condition, condition="condition"):
    __slots__ = ("_template",)

    def __init__(self, template: Template) -> None:
        self._template = template

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        return cls(Template.parse(text))

    def holds_now(self, state: AclState) -> bool:
        return read_truth(self._template.expand_now(state.scope))

    async def holds(self, state: AclState) -> bool:
        return read_truth(await self._template.expand(state.scope))
