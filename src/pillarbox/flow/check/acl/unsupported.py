"""Lines of an ACL that Exim knows and this program does not act on yet.

They are read, their strings checked, and the configuration can be looked at. A condition may be what keeps mail out, so serving refuses it.
"""

from __future__ import annotations

from typing import Literal, Self

from pillarbox.flow.check.acl.condition import Condition
from pillarbox.flow.check.acl.state import AclState, CheckDeferred
from pillarbox.language.expand.template import Template
from pillarbox.language.match.named import NamedLists
from pillarbox.mail.reply import Reason

Inert = Literal["late", "noted", "refused"]

CONDITIONS_NOT_YET = frozenset(
    [
        "dmarc_status",
    ]
)


class NotYet(Exception):
    """A line that is right, but not acted on. `str()` is how it begins: `verify = csa`."""

    def __init__(self, what: str, inert: Inert) -> None:
        super().__init__(what)
        self.inert = inert


class UnsupportedCondition(Condition):
    """It cannot be decided."""

    __slots__ = ("_what",)
    name = ""

    def __init__(self, what: str) -> None:
        self._what = what

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        Template.parse(text)
        return cls(text)

    async def holds(self, state: AclState) -> bool:
        raise CheckDeferred(Reason(f"{self._what} is not supported yet"))
