"""Authenticators: what the `authenticators` section declares (Exim chapter 33).

`public_name` is the SASL mechanism offered. Unless `server_advertise_condition` says otherwise a mechanism is offered only where the
password cannot be overheard: under TLS, on loopback, or to a program on this machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

import msgspec

from pillarbox.config.declare import Driver, Unready, option
from pillarbox.config.errors import CombinationError
from pillarbox.flow.transport.login import ConditionFailed
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed, ForcedFailure
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.mail.envelope import Origin
from pillarbox.ports.logins import Exchange, Failure, Logins, Step, Success
from pillarbox.ports.users import Account

LOOPBACK = ("127.", "::1")
_NO = frozenset({"", "0", "no", "false"})
_YES = frozenset({"1", "yes", "true"})


class AuthItems(msgspec.Struct, frozen=True):
    """What a client's AUTH has given: `$auth1`, `$auth2` …; a facet of the scope in which it is judged."""

    items: tuple[str, ...]


def says_yes(text: str) -> bool:
    """How conditions other than `server_condition` are read: all that is not no is yes."""
    return text.lower() not in _NO


def judged(text: str, login: str) -> Step:
    """What `server_condition` has come to. Words that are neither yes nor no are for the client too."""
    if text.lower() in _YES:
        return Success(Account(login, ""), login)
    if says_yes(text):
        return Failure("temporary", text, login, text)
    return Failure("credentials", "refused", login)


UNNAMED = Failure("temporary", "the name cannot be expanded", is_logged=False)
"""Of a client that might come in, if `server_set_id` could be expanded: Exim says nothing in the log."""


async def login_of(driver: Authenticator, scope: Scope) -> str | None:
    """`server_set_id`; None: it cannot be expanded."""
    try:
        return await driver.server_set_id.expand(scope) if driver.server_set_id else ""
    except (ExpansionFailed, ExpansionDeferred):
        return None


def named(step: Step, login: str | None) -> Step:
    return UNNAMED if login is None and isinstance(step, Success) else step


class Authenticator(Driver, family="authenticator"):
    """Generic options of all authenticators."""

    public_name: str = option(default="", doc="Name of the mechanism.")
    server_advertise_condition: Template | None = option(
        default=None, doc="Offer the mechanism only when this expands to a true value."
    )
    server_condition: Template | None = option(default=None, doc="Let the client in only when this is true.")
    server_set_id: Template | None = option(default=None, doc="What becomes $authenticated_id.")
    server_debug_print: Template | None = option(
        default=None, doc="Shown by `-d` when a client logs in.", inert="noted"
    )
    server_mail_auth_condition: Template | None = option(
        default=None, doc="Take AUTH= of MAIL only when this is true."
    )
    client_condition: Template | None = option(default=None, doc="Use it as a client only when this is true.")
    client_set_id: Template | None = option(default=None, doc="The name for the log of deliveries.")

    usual_public_name: ClassVar[str | None] = None
    """The mechanism when none is named; empty: the authenticator's own name; None: it must be named."""
    defers_by_force: ClassVar[bool] = False
    """As a client: a string that is forced to fail is like any other failure, and not a reason to try the next authenticator."""
    acts_on: ClassVar[tuple[str, ...]] = ()
    """Which of the generic options this driver heeds."""

    def __post_init__(self) -> None:
        if self.public_name:
            return
        if self.usual_public_name is None:
            raise CombinationError(f"no public name specified for the {self.name} authenticator")
        object.__setattr__(self, "public_name", self.usual_public_name or self.name)

    def unready(self) -> Iterator[Unready]:
        for field in ("server_condition", "server_set_id", "client_condition", "client_set_id"):
            if getattr(self, field) is not None and field not in self.acts_on:
                yield Unready(field, f"the driver {self.driver} does not heed it")

    @property
    def is_server(self) -> bool:
        """Our clients may use it."""
        return True

    @property
    def is_client(self) -> bool:
        """We may use it at other hosts: it is a flow.transport.authenticate.ClientAuthenticator."""
        return False

    @property
    def mechanism(self) -> str:
        return self.public_name.upper()

    async def prepared(self, scope: Scope, *templates: Template | None) -> tuple[list[str], str] | None:
        """What a client sends, and its name for the log (`client_set_id`); None: it is not to be used with this host. Unset templates are empty.
        Raises ConditionFailed, ExpansionFailed."""
        if not await self.may_be_used(scope):
            return None
        items: list[str] = []
        for template in templates:
            try:
                items.append(await template.expand(scope) if template else "")
            except ForcedFailure as error:
                if self.defers_by_force:
                    raise self.not_expanded(template, error) from error
                return None
            except (ExpansionFailed, ExpansionDeferred) as error:
                raise self.not_expanded(template, error) from error
        return items, await self.client_login(scope)

    async def may_be_used(self, scope: Scope) -> bool:
        """`client_condition`. Raises ConditionFailed."""
        condition = self.client_condition
        if condition is None:
            return True
        try:
            return says_yes(await condition.expand(scope))
        except ForcedFailure:
            return False
        except (ExpansionFailed, ExpansionDeferred) as error:
            raise ConditionFailed(
                f'failed to expand condition "{condition.source}" for {self.name} client authenticator: {error}'
            ) from error

    async def client_login(self, scope: Scope) -> str:
        """`client_set_id`; one that cannot be expanded is none."""
        try:
            return await self.client_set_id.expand(scope) if self.client_set_id else ""
        except (ExpansionFailed, ExpansionDeferred):
            return ""

    def not_expanded(
        self, template: Template | None, error: ExpansionFailed | ExpansionDeferred
    ) -> ExpansionFailed:
        """Of what is to be sent."""
        source = template.source if template is not None else ""
        return ExpansionFailed(f'expansion of "{source}" failed in {self.name} authenticator: {error}')

    def are_constant(self, *templates: Template | None) -> bool:
        """Whether a client's login is the same for every message, for drivers whose items are these."""
        parts = (*templates, self.client_condition, self.client_set_id)
        return all(template is None or template.is_constant for template in parts)

    async def is_offered(self, origin: Origin, scope: Scope) -> bool:
        """Whether this client may use it now; -PLUS mechanisms need a channel to bind to besides. Raises ExpansionFailed,
        ExpansionDeferred."""
        condition = self.server_advertise_condition
        if condition is None:
            address = origin.host_address
            is_here = not address or address.startswith(LOOPBACK) or address == origin.interface_address
            return is_here or bool(origin.tls_cipher)
        try:
            return says_yes(await condition.expand(scope))
        except ForcedFailure:
            return False

    def begin_in(
        self, scope: Scope, logins: Logins, peer_address: str, bindings: Mapping[str, bytes]
    ) -> Exchange | None:
        """As `begin`, for drivers that expand something."""
        return self.begin(logins, peer_address, bindings)

    def begin(self, logins: Logins, peer_address: str, bindings: Mapping[str, bytes]) -> Exchange | None:
        """An exchange, or None when this driver is for clients only."""
        return None
