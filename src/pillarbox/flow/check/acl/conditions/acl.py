"""`acl` (Exim 44.17): another named ACL accepts.

Its `defer` holds for the caller too. Its `drop` closes the connection when the caller refuses because of it; its `discard` makes a calling
`accept` or `discard` discard. Its texts are the condition's own texts. Known gaps: arguments, expanded names, ACLs in files.
"""

from __future__ import annotations

from typing import Self, assert_never

from pillarbox.flow.check.acl.condition import AclSyntaxError, Answer, Condition
from pillarbox.flow.check.acl.decision import Discarded, Dropped
from pillarbox.flow.check.acl.state import AclState, CheckDeferred
from pillarbox.flow.check.verdict import Accept, Defer, Deny, Discard, Drop
from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.match.named import NamedLists
from pillarbox.mail.reply import Reason


class NestedAcl(Condition, condition="acl"):
    __slots__ = ("called",)

    def __init__(self, called: str) -> None:
        self.called = called

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        name = text.strip()
        if not name or not name.replace("_", "").isalnum():
            raise AclSyntaxError(
                "acl needs the name of one ACL (arguments, expanded names and files are not supported yet)"
            )
        return cls(name)

    async def holds(self, state: AclState) -> Answer:
        acl = state.services.acls.get(self.called)
        if acl is None:
            raise ExpansionFailed(f"there is no ACL named {self.called}")
        saved = state.message, state.log_message, state.own
        verdict = await acl.run(state)
        state.message, state.log_message, state.own = saved
        match verdict:
            case Accept(text=text):
                if text:
                    state.own = Reason(text, text)
                return True
            case Deny(reason=reason):
                return reason
            case Defer(reason=reason):
                raise CheckDeferred(reason)
            case Discard(reason=reason):
                raise Discarded(reason)
            case Drop(reason=reason):
                raise Dropped(reason)
            case _ as unreachable:
                assert_never(unreachable)
