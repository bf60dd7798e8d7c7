"""Calling an ACL from an expansion: `${acl{name}{argument}…}` and `acl{{name}{argument}…}` (Exim 11.5, 11.7).

The stage that owns ACLs puts an `Acls` into the scope or the services' facts; without one there is none of any name.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol, cast

from pillarbox.language.expand.errors import ExpansionFailed, ForcedFailure
from pillarbox.language.expand.scope import Scope, Services


class AclResult(NamedTuple):
    outcome: Literal["OK", "FAIL", "DEFER", "DISCARD", "FAIL_DROP", "ERROR"]
    """Exim's words: `OK` accepted, `FAIL` denied, `ERROR` no such ACL or a mistake in it."""
    message: str = ""
    """What `message =` set."""


class Acls(Protocol):
    async def call(self, name: str, arguments: tuple[str, ...], scope: Scope) -> AclResult:
        """Run it with `$acl_arg1` … set. `scope` is the caller's: its facets are what the ACL sees."""
        ...


class AclQuestion:
    """Equal when name and arguments are: the scope is the same within one evaluation."""

    __slots__ = ("_arguments", "_name", "_scope")

    def __init__(self, name: str, arguments: tuple[str, ...], scope: Scope) -> None:
        self._name = name
        self._arguments = arguments
        self._scope = scope

    def __hash__(self) -> int:
        return hash((self._name, self._arguments))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, AclQuestion)
            and self._name == other._name
            and self._arguments == other._arguments
        )

    def answer_now(self, services: Services) -> AclResult:
        if self._acls() is None:
            return AclResult("ERROR")
        raise BlockingIOError

    async def answer(self, services: Services) -> AclResult:
        acls = self._acls()
        if acls is None:
            return AclResult("ERROR")
        return await acls.call(self._name, self._arguments, self._scope)

    def _acls(self) -> Acls | None:
        return cast("Acls | None", self._scope.facets.get(Acls))


def call_acl(texts: list[str], scope: Scope) -> AclResult:
    """Accepted or denied; anything else is a failure of the expansion, a forced one when the ACL defers."""
    name, *arguments = texts
    if not name:
        return AclResult("OK")
    result = scope.ask(AclQuestion(str(name), tuple(arguments), scope))
    if result.outcome in ("OK", "FAIL"):
        return result
    kind = ForcedFailure if result.outcome == "DEFER" else ExpansionFailed
    raise kind(f'{result.outcome} from acl "{name}"')
