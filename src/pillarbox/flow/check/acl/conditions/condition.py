"""`condition` (Exim 44.17): the expansion gives anything but `0`, `no`, `false` or nothing."""

from __future__ import annotations

from typing import Self

from pillarbox.flow.check.acl.condition import Condition
from pillarbox.flow.check.acl.state import AclState, CheckFailed, expand_argument
from pillarbox.language.expand.errors import ExpansionFailed, ForcedFailure
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
    raise CheckFailed(f'invalid "condition" value "{text}"')


class ExpandedCondition(Condition, condition="condition"):
    __slots__ = ("_template",)

    def __init__(self, template: Template) -> None:
        self._template = template

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        return cls(Template.parse(text))

    def holds_now(self, state: AclState) -> bool:
        try:
            return read_truth(self._template.expand_now(state.scope))
        except ForcedFailure:
            raise
        except ExpansionFailed as error:
            raise CheckFailed(f'failed to expand ACL string "{self._template.source}": {error}') from None

    async def holds(self, state: AclState) -> bool:
        return read_truth(await expand_argument(self._template, state))
