"""`driver = accounts` (Pillarbox's own): names and passwords of the accounts file, by PLAIN, LOGIN, SCRAM-SHA-256 or -PLUS."""

from __future__ import annotations

from collections.abc import Mapping

from pillarbox.config.errors import OptionError
from pillarbox.flow.accept.authenticators.authenticator import Authenticator
from pillarbox.ports.logins import Exchange, Logins

MECHANISMS = ("PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS")


class Accounts(Authenticator, driver="accounts", extension=True):
    """Authenticate against the accounts file."""

    usual_public_name = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mechanism not in MECHANISMS:
            raise OptionError(
                f"driver accounts has no mechanism {self.mechanism}; it has {', '.join(MECHANISMS)}"
            )

    def begin(self, logins: Logins, peer_address: str, bindings: Mapping[str, bytes]) -> Exchange | None:
        return logins.begin(self.mechanism, peer_address, bindings)
