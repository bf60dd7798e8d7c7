"""`encrypted` (Exim 44.17): the connection is under TLS, with a cipher in the list (`*`: any)."""

from __future__ import annotations

from typing import Self

from pillarbox.flow.check.acl.condition import Condition
from pillarbox.flow.check.acl.state import AclState
from pillarbox.language.match.named import NamedLists
from pillarbox.language.match.strings import StringList


class Encrypted(Condition, condition="encrypted"):
    __slots__ = ("_list",)

    def __init__(self, wanted: StringList) -> None:
        self._list = wanted

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        return cls(StringList.parse(text, named))

    def holds_now(self, state: AclState) -> bool:
        cipher = state.connection.tls_cipher
        return bool(cipher) and self._list.matches_now(cipher, state.scope)

    async def holds(self, state: AclState) -> bool:
        cipher = state.connection.tls_cipher
        return bool(cipher) and await self._list.matches(cipher, state.scope)
