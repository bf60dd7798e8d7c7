"""`driver = plaintext` (Exim chapter 34): PLAIN and LOGIN, or whatever else sends its data in clear, as server and as client.

As a server it asks with `server_prompts` for what the client has not sent yet, and lets it in when `server_condition` is true; $auth1, $auth2 …
(and $1, $2 …) are what came. As a client it sends the items of `client_send`, in which `^` stands for a NUL and `^^` for a `^`.

Unlike `driver = accounts` it does not slow down a client that guesses passwords.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pillarbox.config.declare import option
from pillarbox.config.errors import OptionError
from pillarbox.config.kinds import ExpandedList, Kind
from pillarbox.flow.accept.authenticators.authenticator import (
    Authenticator,
    AuthItems,
    judged,
    login_of,
    named,
)
from pillarbox.flow.transport.login import Cancelled, CannotAnswer
from pillarbox.language.expand.errors import (
    ExpandSyntaxError,
    ExpansionDeferred,
    ExpansionFailed,
    ForcedFailure,
)
from pillarbox.language.expand.octets import octets
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.language.match.items import split
from pillarbox.language.match.named import NamedLists
from pillarbox.ports.logins import Challenge, Exchange, Failure, Logins, Step

_MAX_ITEMS = 20
_CARETS = re.compile(r"\^\^?")
_NAME = re.compile(r"\$\{?(\w+)|def:(\w+)")
_SAME_FOR_ALL = frozenset(
    ("host", "host_address", "host_port", "tls_out_cipher", "value", "if", "lookup", "extract", "readfile", "sg", "lc")
)  # fmt: skip


class Items:
    """A list whose items are expanded one by one."""

    __slots__ = ("source", "templates")

    def __init__(self, source: str, templates: tuple[Template, ...]) -> None:
        self.source = source
        self.templates = templates

    @classmethod
    def parse(cls, source: str, named: NamedLists) -> Items:
        """Raises OptionError."""
        try:
            return cls(source, tuple(Template.parse(text) for text, _ in split(source)))
        except ExpandSyntaxError as error:
            raise OptionError(str(error)) from None


ItemsOption = Annotated[Items, Kind("string list", Items.parse, lambda value: value.source if value else "")]


class Plaintext(Authenticator, driver="plaintext"):
    """Send or take a name and a password as they are."""

    server_prompts: ExpandedList | None = option(default=None, doc="Challenges for items not sent yet.")
    client_send: ItemsOption | None = option(
        default=None, doc="What to send: with AUTH, and to each challenge; ^ is NUL."
    )
    client_ignore_invalid_base64: bool = option(
        default=False, doc="Go on when the host's challenge is no base64."
    )

    acts_on = ("server_condition", "server_set_id", "client_condition", "client_set_id")

    @property
    def is_server(self) -> bool:
        return self.server_condition is not None

    @property
    def is_client(self) -> bool:
        return self.client_send is not None

    @property
    def is_same_for_all_messages(self) -> bool:
        texts = [self.client_send.source if self.client_send else ""]
        texts += [t.source for t in (self.client_condition, self.client_set_id) if t is not None]
        names = {a or b for text in texts for a, b in _NAME.findall(text)}
        return names <= _SAME_FOR_ALL

    async def prepare(self, scope: Scope) -> PlaintextClient | None:
        """Items behind the first may fail: that comes to light when they are asked for. Raises ConditionFailed, ExpansionFailed."""
        if not await self.may_be_used(scope):
            return None
        items: list[bytes | Cancelled | ExpansionFailed] = []
        for template in self.client_send.templates if self.client_send else ():
            try:
                items.append(_to_bytes(await template.expand(scope)))
            except ForcedFailure:
                items.append(Cancelled())
            except (ExpansionFailed, ExpansionDeferred) as error:
                items.append(self.not_expanded(template, error))
        match items[:1]:
            case [Cancelled()]:
                return None
            case [ExpansionFailed() as failed]:
                raise failed
        login = await self.client_login(scope)
        return PlaintextClient(items, login, is_lenient=self.client_ignore_invalid_base64)

    def begin_in(
        self, scope: Scope, logins: Logins, peer_address: str, bindings: Mapping[str, bytes]
    ) -> Exchange | None:
        return PlaintextServer(self, scope) if self.is_server else None


def _to_bytes(item: str) -> bytes:
    return octets(_CARETS.sub(lambda found: "\0" if found[0] == "^" else "^", item))


class PlaintextClient:
    """flow.transport.authenticate.ClientExchange."""

    __slots__ = ("_items", "is_lenient", "login")

    def __init__(
        self, items: Sequence[bytes | Cancelled | ExpansionFailed], login: str, *, is_lenient: bool = False
    ) -> None:
        self._items = list(items)
        self.login = login
        self.is_lenient = is_lenient

    def begin(self) -> bytes | None:
        return (self._next() or None) if self._items else None

    def answer(self, challenge: bytes) -> bytes:
        if not self._items:
            raise CannotAnswer("client_send has too few items")
        return self._next()

    def _next(self) -> bytes:
        """Raises Cancelled, ExpansionFailed."""
        item = self._items.pop(0)
        if not isinstance(item, bytes):
            raise item
        return item

    def check(self) -> None:
        """The host has nothing to prove."""


class PlaintextServer:
    """ports.logins.Exchange."""

    __slots__ = ("_driver", "_items", "_login", "_prompts", "_scope")

    def __init__(self, driver: Plaintext, scope: Scope) -> None:
        self._driver = driver
        self._scope = scope
        self._items: list[str] = []
        self._login = ""
        self._prompts: list[str] | None = None

    async def step(self, response: bytes | None) -> Step:
        if self._prompts is None:
            template = self._driver.server_prompts
            try:
                text = await template.expand(self._scope) if template else ""
            except (ExpansionFailed, ExpansionDeferred) as error:  # a forced failure is none here
                return Failure("temporary", str(error))
            self._prompts = [prompt for prompt, _ in split(text)]
        if response is not None:
            self._items += _items_of(response)
        if len(self._items) > _MAX_ITEMS:
            return Failure("credentials", "too many items")
        try:
            if len(self._items) < len(self._prompts):
                return Challenge(octets(self._prompts[len(self._items)]))
            return await self._judge()
        except ExpansionDeferred as error:
            return Failure("temporary", str(error), self._login)
        except ExpansionFailed as error:
            kind: Literal["credentials", "temporary"] = (
                "credentials" if isinstance(error, ForcedFailure) else "temporary"
            )
            return Failure(kind, str(error), self._login)

    async def _judge(self) -> Step:
        scope = self._scope.with_facet(AuthItems, AuthItems(tuple(self._items)))
        scope.captures = ["", *self._items]
        driver = self._driver
        name = await login_of(driver, scope)
        self._login = name or ""
        assert driver.server_condition is not None
        return named(judged(await driver.server_condition.expand(scope), self._login), name)


def _items_of(response: bytes) -> list[str]:
    """Each ends with a NUL or with all of it."""
    items = response.decode("utf-8", "surrogateescape").split("\0")
    return items[:-1] if len(items) > 1 and not items[-1] else items
