"""What logging in to another host means to authenticators: where the connection leads, and the exchange that they carry on.

Apart from `authenticate`, which speaks SMTP: authenticators and variables know these without it.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from pillarbox.language.expand.scope import Scope


class Outbound(msgspec.Struct, frozen=True):
    """Where a connection leads, for the expansions of authenticators: a facet of their scope."""

    host: str
    address: str
    port: int
    tls_cipher: str = ""


class CannotAnswer(Exception):
    """The exchange cannot go on from our side; `str()` says why. Nothing of the secret is in it."""


class ConditionFailed(Exception):
    """`client_condition` cannot be expanded: the authenticator is passed over, and `str()` is for the panic log."""


class Cancelled(Exception):
    """An item is not to be sent (it is forced to fail): the exchange is called off without a word in the log."""


class ClientExchange(Protocol):
    """One try at logging in."""

    @property
    def login(self) -> str:
        """`client_set_id` expanded, for the log; mostly empty."""
        ...

    @property
    def is_lenient(self) -> bool:
        """A challenge that is no base64 counts as an empty one, now."""
        ...

    def begin(self) -> bytes | None:
        """The initial response; None: none."""
        ...

    def answer(self, challenge: bytes) -> bytes:
        """Raises CannotAnswer, Cancelled, ExpansionFailed."""
        ...

    def check(self) -> None:
        """The host has said 235: raises CannotAnswer when it has not proved what it had to (SCRAM)."""
        ...


class ClientAuthenticator(Protocol):
    """What the authenticators section declares, as a client sees it."""

    name: str

    @property
    def mechanism(self) -> str: ...

    @property
    def is_same_for_all_messages(self) -> bool:
        """The credentials do not depend on the message, so connections may be shared by messages."""
        ...

    async def prepare(self, scope: Scope) -> ClientExchange | None:
        """None: not for this connection (`client_condition`, a forced failure). Raises ExpansionFailed, ExpansionDeferred."""
        ...
