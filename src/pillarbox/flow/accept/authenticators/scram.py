"""`driver = scram` (Pillarbox's own): log in at another host by SCRAM-SHA-256 (or -SHA-1, -SHA-512), which never tells it the password.

A client only: our own users' SCRAM is `driver = accounts`. The host must prove that it knows the password too, or it gets no mail.
No channel binding.
"""

from __future__ import annotations

from scramp import ScramClient, ScramException

from pillarbox.config.declare import option
from pillarbox.config.errors import OptionError
from pillarbox.flow.accept.authenticators.authenticator import Authenticator
from pillarbox.flow.transport.login import CannotAnswer
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template

MECHANISMS = ("SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512")


class Scram(Authenticator, driver="scram", extension=True):
    """Log in at other hosts without telling them the password."""

    client_username: Template = option(doc="The name there.")
    client_password: Template = option(doc="The password there.")

    acts_on = ("client_condition", "client_set_id")
    usual_public_name = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mechanism not in MECHANISMS:
            raise OptionError(
                f"driver scram has no mechanism {self.mechanism}; it has {', '.join(MECHANISMS)}"
            )

    @property
    def is_server(self) -> bool:
        return False

    @property
    def is_client(self) -> bool:
        return True

    @property
    def is_same_for_all_messages(self) -> bool:
        return self.are_constant(self.client_username, self.client_password)

    async def prepare(self, scope: Scope) -> ScramExchange | None:
        """Raises ExpansionFailed, ExpansionDeferred."""
        prepared = await self.prepared(scope, self.client_username, self.client_password)
        if prepared is None:
            return None
        (name, password), login = prepared
        return ScramExchange(self.mechanism, name, password, login)


class ScramExchange:
    """flow.transport.authenticate.ClientExchange."""

    __slots__ = ("_client", "_step", "login")

    is_lenient = False

    def __init__(self, mechanism: str, name: str, password: str, login: str = "") -> None:
        self._client = ScramClient([mechanism], name, password)
        self._step = 0
        self.login = login

    def begin(self) -> bytes | None:
        return str(self._client.get_client_first()).encode()

    def answer(self, challenge: bytes) -> bytes:
        self._step += 1
        try:
            if self._step == 1:
                self._client.set_server_first(challenge.decode())
                return str(self._client.get_client_final()).encode()
            if self._step == 2:
                self._client.set_server_final(challenge.decode())
                return b""
        except (ScramException, UnicodeDecodeError, ValueError) as error:
            raise CannotAnswer(f"SCRAM: {error}") from error
        raise CannotAnswer("SCRAM: the server asks once too often")

    def check(self) -> None:
        if self._step != 2:
            raise CannotAnswer("SCRAM: the server has not proved that it knows the password")
