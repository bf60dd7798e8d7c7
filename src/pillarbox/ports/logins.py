"""Logging in by SASL (RFC 4422): one exchange, whichever protocol carries it.

SMTP, IMAP and POP3 each wrap the same challenges and responses in their own lines. Bytes here are already decoded from base64.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

import msgspec

from pillarbox.ports.users import Account


class Challenge(msgspec.Struct, frozen=True, gc=False):
    """Send this and call `step` with the client's response."""

    data: bytes
    is_text: bool = False
    """It goes out as it is, not in base64: SPA's first words."""


class Success(msgspec.Struct, frozen=True, gc=False):
    """Logged in. SCRAM's server signature has gone out as the last challenge."""

    account: Account
    name: str
    """The name as the client gave it (`$authenticated_id`)."""


class Failure(msgspec.Struct, frozen=True, gc=False):
    """`kind` chooses the protocol's answer; `log` is for the log only."""

    kind: Literal["credentials", "malformed", "unexpected", "throttled", "temporary"]
    log: str
    name: str = ""
    peer: str = ""
    """What a client may read besides."""
    is_logged: bool = True


Step = Challenge | Success | Failure


class Exchange(Protocol):
    async def step(self, response: bytes | None) -> Step:
        """`None` begins an exchange without initial response. The delay that a failure costs is inside."""
        ...


class Logins(Protocol):
    def mechanisms(self, *, has_channel_binding: bool) -> tuple[str, ...]:
        """Names offered, strongest first."""
        ...

    def begin(
        self, mechanism: str, peer_address: str, channel_bindings: Mapping[str, bytes] | None = None
    ) -> Exchange | None:
        """None: no such mechanism. `channel_bindings` by type name (`tls-server-end-point`), with TLS only (RFC 5929)."""
        ...

    async def password(self, name: str, password: str, peer_address: str) -> Success | Failure:
        """For USER/PASS and IMAP's LOGIN."""
        ...
