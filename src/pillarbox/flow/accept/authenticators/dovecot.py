"""`driver = dovecot` (Exim chapter 37): ask a Dovecot, by its authentication socket, whatever mechanism it knows.

The protocol is lines of words divided by tabs (Dovecot's "authentication protocol", version 1): both say hello, AUTH brings what the
client has sent, and each answer is CONT (a challenge), OK or FAIL. One connection is made for each exchange; it is closed as soon as there
is a verdict, and at the latest when its time is over, so a client that just goes away holds nothing.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Iterable, Mapping

from pillarbox.config.declare import option
from pillarbox.flow.accept.authenticators.authenticator import Authenticator
from pillarbox.flow.accept.judging import JudgedExchange
from pillarbox.flow.facets.session import TlsInFacts
from pillarbox.language.expand.octets import octets
from pillarbox.language.expand.scope import Scope
from pillarbox.mail.envelope import Origin
from pillarbox.ports.logins import Challenge, Exchange, Failure, Logins, Step
from pillarbox.ports.sockets import Sockets, SocketTrouble, Talk

TIMEOUT = 5.0
"""Seconds for the connection and each of its lines; one more second is what Dovecot lets those wait who guess."""
LIFETIME = 600.0
MAX_LINES = 200
"""Of its hello."""


class Dovecot(Authenticator, driver="dovecot"):
    """Let Dovecot judge."""

    server_socket: str | None = option(default=None, doc="Path of its authentication socket.")

    acts_on = ("server_condition", "server_set_id")

    @property
    def is_server(self) -> bool:
        return self.server_socket is not None

    def begin_in(
        self, scope: Scope, logins: Logins, peer_address: str, bindings: Mapping[str, bytes]
    ) -> Exchange | None:
        return DovecotExchange(self, scope)


class DovecotExchange(JudgedExchange):
    __slots__ = ("_talk",)

    driver: Dovecot

    def __init__(self, driver: Dovecot, scope: Scope) -> None:
        super().__init__(driver, scope)
        self._talk: Talk | None = None

    async def _go_on(self, response: bytes | None) -> Step:
        try:
            if self._talk is None:
                self._talk = await self._connect()
                if not await self._meet(self._talk):
                    return self._end(
                        Failure(
                            "temporary",
                            f'Dovecot did not advertise mechanism "{self.driver.public_name}" to us',
                        )
                    )
                self._talk.send(self._question(response))
            else:
                self._talk.send(f"CONT\t{os.getpid()}\t{_base64(response or b'')}\n".encode())
            return await self._verdict(self._talk)
        except SocketTrouble as trouble:
            if self._talk is None:
                return Failure("temporary", str(trouble))
            return self._end(Failure("temporary", "authentication socket read error or premature eof"))

    async def _connect(self) -> Talk:
        """Raises SocketTrouble."""
        sockets = self._scope.facet(Sockets)  # type: ignore[type-abstract]
        if sockets is None:
            raise SocketTrouble("authentication socket connection error")
        try:
            return await sockets.open(self.driver.server_socket or "", timeout=TIMEOUT, lifetime=LIFETIME)
        except SocketTrouble as trouble:
            reason = str(trouble).rpartition(": ")[2]
            raise SocketTrouble(
                f"unable to connect to UNIX socket ({self.driver.server_socket}): {reason}"
            ) from None

    async def _meet(self, talk: Talk) -> bool:
        """Whether it knows the mechanism. Raises SocketTrouble."""
        talk.send(f"VERSION\t1\t0\nCPID\t{os.getpid()}\n".encode())
        mechanisms: set[str] = set()
        for _ in range(MAX_LINES):
            match (await talk.line()).decode("utf-8", "replace").split("\t"):
                case ["VERSION", major, *_] if major != "1":
                    raise SocketTrouble("authentication socket protocol version mismatch")
                case ["MECH", name, *_]:
                    mechanisms.add(name.upper())
                case ["DONE", *_]:
                    return self.driver.mechanism in mechanisms
        raise SocketTrouble("authentication socket protocol error, no DONE")

    def _question(self, initial: bytes | None) -> bytes:
        origin = self._scope.facet(Origin) or Origin()
        words = ["AUTH", str(os.getpid()), self.driver.mechanism, "service=smtp"]
        if origin.tls_cipher or origin.host_address == origin.interface_address:
            words.append("secured")
        tls = self._scope.facet(TlsInFacts)
        if tls is not None and tls.certificate_verified:
            words.append("valid-client-cert")
        words += [f"rip={origin.host_address}", f"lip={origin.interface_address}", "nologin"]
        if initial is not None:
            words.append(f"resp={_base64(initial)}")
        return octets("\t".join(words) + "\n")

    async def _verdict(self, talk: Talk) -> Step:
        """Raises SocketTrouble."""
        words = (await talk.line()).decode("utf-8", "surrogateescape").split("\t")
        match words:
            case ["CONT", _, text, *_]:
                return self._challenge(text)
            case ["CONT", _]:
                return Challenge(b"")
            case ["OK", _, *fields]:
                talk.close()
                user = _value(fields, "user")
                if not user:
                    return Failure("temporary", "authentication socket protocol error")
                return await self._judge([user])
            case ["FAIL", _, *fields]:
                talk.close()
                if "temp" in fields:
                    return Failure("temporary", "temporary failure")
                user = _value(fields, "user")
                return await self._refuse([user] if user else [], "refused")
        return self._end(Failure("temporary", "authentication socket protocol error"))

    def _challenge(self, text: str) -> Step:
        try:
            return Challenge(binascii.a2b_base64(text, strict_mode=True))
        except ValueError:
            return self._end(Failure("temporary", "authentication socket protocol error"))

    def abandon(self) -> None:
        if self._talk is not None:
            self._talk.close()

    def _end(self, failure: Failure) -> Failure:
        self.abandon()
        return failure


def _value(fields: Iterable[str], name: str) -> str:
    return next((field[len(name) + 1 :] for field in fields if field.startswith(f"{name}=")), "")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
