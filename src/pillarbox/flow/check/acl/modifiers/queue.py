"""`queue` (Exim 44.12): the named queue that messages of this connection wait in from now on; empty: the usual one."""

from __future__ import annotations

from pillarbox.flow.check.acl.state import AclState, CheckFailed, expand_argument
from pillarbox.flow.check.acl.templated import TemplateModifier
from pillarbox.language.expand.registry import variable
from pillarbox.mail.taint import is_tainted


class Queue(TemplateModifier, modifier="queue"):
    __slots__ = ()

    async def apply(self, state: AclState) -> None:
        name = await expand_argument(self._template, state)
        if "/" in name:
            raise CheckFailed(f"Directory separator not permitted in queue name: '{name}'")
        if is_tainted(name):
            raise CheckFailed(f"Tainted name '{name}' for queue not permitted")
        state.memory.connection.queue = name


@variable("queue_name", AclState, doc="The named queue that the message is in.", rank=1)
def queue_name(state: AclState) -> str:
    return state.memory.connection.queue
