"""What most server exchanges have in common: strings are expanded with what the client gave, and `server_condition` has the last word.

A string that is forced to fail refuses the client, one that cannot be expanded is a temporary failure, and `server_set_id` names the client for
the log also where it is refused (Exim 33.1).
"""

from __future__ import annotations

from collections.abc import Sequence

from pillarbox.flow.accept.authenticators.authenticator import (
    Authenticator,
    AuthItems,
    judged,
    login_of,
    named,
)
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed, ForcedFailure
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.mail.taint import Tainted
from pillarbox.ports.logins import Failure, Step, Success
from pillarbox.ports.users import Account

MAX_RESPONSE = 4096
"""Bytes of one response."""


class JudgedExchange:
    """ports.logins.Exchange; `_go_on` is the mechanism."""

    __slots__ = ("_has_name", "_login", "_scope", "driver")

    def __init__(self, driver: Authenticator, scope: Scope) -> None:
        self.driver = driver
        self._scope = scope
        self._login = ""
        self._has_name = True
        """`server_set_id` can be expanded."""

    async def step(self, response: bytes | None) -> Step:
        if response is not None and len(response) > MAX_RESPONSE:
            return Failure("malformed", "response too long")
        try:
            return await self._go_on(response)
        except ForcedFailure as error:
            return Failure("credentials", str(error), self._login)
        except (ExpansionFailed, ExpansionDeferred) as error:
            return Failure("temporary", str(error), self._login)

    async def _go_on(self, response: bytes | None) -> Step:
        """May raise what expansions raise."""
        raise NotImplementedError

    def abandon(self) -> None:
        """The client has given up."""

    def _given(self, items: Sequence[str]) -> Scope:
        """A scope with `$auth1` … and `$1` …"""
        given = tuple(Tainted(item) for item in items)
        scope = self._scope.with_facet(AuthItems, AuthItems(given))
        scope.captures = ["", *given]
        return scope

    async def _name(self, items: Sequence[str]) -> str:
        """Remember who it wants to be, for the log; one that cannot be expanded is passed over."""
        found = await login_of(self.driver, self._given(items))
        self._login, self._has_name = found or "", found is not None
        return self._login

    async def _refuse(self, items: Sequence[str], why: str) -> Failure:
        return Failure("credentials", why, await self._name(items))

    async def _judge(self, items: Sequence[str]) -> Step:
        """The mechanism is content: `server_condition`, where there is one, decides."""
        login = await self._name(items)
        condition = self.driver.server_condition
        name = login if self._has_name else None
        if condition is None:
            return named(Success(Account(login, ""), login), name)
        return named(judged(await condition.expand(self._given(items)), login), name)

    async def _expand(self, template: Template | None, items: Sequence[str]) -> str:
        return await template.expand(self._given(items)) if template is not None else ""


def text_of(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def bytes_of(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
