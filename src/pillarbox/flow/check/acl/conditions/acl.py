"""`acl` (Exim 43.17): another named ACL accepts. Its `drop` and `defer` hold for the caller too."""

from __future__ import annotations

from typing import Self

from pillarbox.flow.check.acl.condition import AclSyntaxError, Answer, Condition
from pillarbox.flow.check.acl.state import AclState, CheckDeferred
from pillarbox.flow.check.verdict import Accept, Defer, Deny, Discard, Drop
from pillarbox.language.match.named import NamedLists


class NestedAcl(Condition, condition="acl"):
    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        name = text.strip()
        if not name or " " in name or "$" in name:
            raise AclSyntaxError(
                "acl needs the name of one ACL (arguments and expanded names are not supported yet)"
            )
        return cls(name)

    async def holds(self, state: AclState) -> Answer:
        acl = state.services.acls.get(self._name)
        if acl is None:
            raise BlockingIOError(f"no ACL named {self._name}")
        saved = state.message, state.log_message
        verdict = await acl.run(state)
        state.message, state.log_message = saved
        match verdict:
            case Accept():
                return True
            case Defer(reason=reason):
                raise CheckDeferred(reason)
            case Deny(reason=reason) | Drop(reason=reason) | Discard(reason=reason):
                return reason
