"""`condition` (Exim 44.17): the expansion gives anything but `0`, `no`, `false` or nothing."""

from __future__ import annotations

from pillarbox.flow.check.acl.state import AclState, CheckDeferred, expand_argument, not_expanded
from pillarbox.flow.check.acl.templated import TemplateCondition
from pillarbox.language.expand.errors import ExpansionFailed, ForcedFailure
from pillarbox.mail.reply import Reason

_FALSE = frozenset({"", "0", "no", "false"})
_TRUE = frozenset({"yes", "true"})


def read_truth(text: str) -> bool:
    """Exim's reading of the result; a text that is neither is an error, so that a typing mistake lets nobody in."""
    word = text.strip().lower()
    if word in _FALSE:
        return False
    if word in _TRUE or word.lstrip("-").isdigit():
        return True
    raise CheckDeferred(Reason(f'invalid "condition" value "{text}"'))


class ExpandedCondition(TemplateCondition, condition="condition"):
    __slots__ = ()

    def holds_now(self, state: AclState) -> bool:
        try:
            return read_truth(self._template.expand_now(state.scope))
        except ForcedFailure:
            raise
        except ExpansionFailed as error:
            raise not_expanded(self._template, error) from None

    async def holds(self, state: AclState) -> bool:
        return read_truth(await expand_argument(self._template, state))
