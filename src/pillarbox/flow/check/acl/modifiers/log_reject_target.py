"""`log_reject_target` (Exim 44.12): the logs that a refusal of this ACL goes to; none: no line at all. It holds from here on."""

from __future__ import annotations

from pillarbox.flow.check.acl.state import AclState, expand_argument
from pillarbox.flow.check.acl.templated import TemplateModifier

LOGS = ("main", "panic", "reject")


class LogRejectTarget(TemplateModifier, modifier="log_reject_target"):
    __slots__ = ()

    async def apply(self, state: AclState) -> None:
        text = await expand_argument(self._template, state)
        names = [name for part in text.split(":") if (name := part.strip())]
        for name in names:
            if name not in LOGS:
                state.panic(f'unknown log name "{name}" in "log_reject_target" in {state.where.upper()} ACL')
                return
        state.targets = frozenset(names)
