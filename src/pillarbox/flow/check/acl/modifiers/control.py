"""`control` (Exim 43.21): how the message or the connection is treated from now on.

What is supported is in `KNOWN`; anything else is an error when the configuration is loaded, never silently ignored.
"""

from __future__ import annotations

from typing import Self

from pillarbox.flow.check.acl.condition import AclSyntaxError, Modifier
from pillarbox.flow.check.acl.state import AclState
from pillarbox.language.match.named import NamedLists

KNOWN = (
    "submission",
    "freeze",
    "queue",
    "queue_only",
    "no_enforce_sync",
    "enforce_sync",
    "allow_auth_unadvertised",
)


class Control(Modifier, modifier="control"):
    __slots__ = ("_name", "_options")

    def __init__(self, name: str, options: str) -> None:
        self._name = name
        self._options = options

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        name, _, options = text.strip().partition("/")
        if name not in KNOWN:
            raise AclSyntaxError(f"control {name!r} is not supported; known: {', '.join(KNOWN)}")
        return cls(name, options)

    async def apply(self, state: AclState) -> None:
        state.controls[self._name] = self._options
