"""SASL logins over the users port: PLAIN, LOGIN, SCRAM-SHA-256 and SCRAM-SHA-256-PLUS."""

from __future__ import annotations

from collections.abc import Mapping

from pillarbox.backends.accounts.unix import UnixUsers
from pillarbox.backends.accounts.users import FileUsers
from pillarbox.ports.logins import Challenge, Exchange, Failure, Step, Success
from pillarbox.ports.users import LoginsBroken, LoginThrottled
from pillarbox.wire.sasl.scram import ScramKeys, ScramRefused, ScramServer
from pillarbox.wire.sasl.simple import MalformedResponse, parse_login_part, parse_plain

MECHANISMS = ("SCRAM-SHA-256", "PLAIN", "LOGIN")
PLUS = "SCRAM-SHA-256-PLUS"


class AccountLogins:
    """ports.logins.Logins."""

    def __init__(self, users: FileUsers | UnixUsers, *, has_scram: bool = True) -> None:
        """`has_scram` False: the machine's users log in too, whose keys nobody has, and a client that may choose would choose SCRAM."""
        self._users = users
        self._has_scram = has_scram

    def mechanisms(self, *, has_channel_binding: bool) -> tuple[str, ...]:
        if not self._has_scram:
            return MECHANISMS[1:]
        return (PLUS, *MECHANISMS) if has_channel_binding else MECHANISMS

    def begin(
        self, mechanism: str, peer_address: str, channel_bindings: Mapping[str, bytes] | None = None
    ) -> Exchange | None:
        match mechanism.upper():
            case "PLAIN":
                return PlainExchange(self, peer_address)
            case "LOGIN":
                return LoginExchange(self, peer_address)
            case "SCRAM-SHA-256":
                return ScramExchange(self._users, peer_address, {}, plus=False)
            case "SCRAM-SHA-256-PLUS" if channel_bindings:
                return ScramExchange(self._users, peer_address, channel_bindings, plus=True)
            case _:
                return None

    async def password(self, name: str, password: str, peer_address: str) -> Success | Failure:
        try:
            account = await self._users.verify(name, password, peer_address)
        except LoginThrottled as error:
            return Failure("throttled", str(error), name)
        except LoginsBroken as error:
            return Failure("temporary", str(error), name)
        if account is None:
            return Failure("credentials", "name or password is wrong", name)
        return Success(account, name)


class PlainExchange:
    def __init__(self, logins: AccountLogins, peer_address: str) -> None:
        self._logins = logins
        self._peer_address = peer_address

    async def step(self, response: bytes | None) -> Step:
        if response is None:
            return Challenge(b"")
        try:
            given = parse_plain(response)
        except MalformedResponse as error:
            return Failure("malformed", str(error))
        return await self._logins.password(given.name, given.secret, self._peer_address)


class LoginExchange:
    def __init__(self, logins: AccountLogins, peer_address: str) -> None:
        self._logins = logins
        self._peer_address = peer_address
        self._name: str | None = None

    async def step(self, response: bytes | None) -> Step:
        if response is None:
            return Challenge(b"Username:")
        try:
            text = parse_login_part(response)
        except MalformedResponse as error:
            return Failure("malformed", str(error))
        if self._name is None:
            self._name = text
            return Challenge(b"Password:")
        return await self._logins.password(self._name, text, self._peer_address)


class ScramExchange:
    def __init__(
        self, users: FileUsers | UnixUsers, peer_address: str, bindings: Mapping[str, bytes], *, plus: bool
    ) -> None:
        self._users = users
        self._peer_address = peer_address
        self._server = ScramServer(self._keys, bindings, plus=plus)
        self._steps_done = 0

    async def step(self, response: bytes | None) -> Step:
        if response is None:
            return Challenge(b"")
        self._steps_done += 1
        try:
            if self._steps_done == 1:
                return Challenge(self._server.first(response))
            if self._steps_done == 2:
                return Challenge(self._server.final(response))
        except ScramRefused as error:
            await self._users.note_failure(self._server.name, self._peer_address)
            return Failure(
                "malformed" if error.is_malformed else "credentials", str(error), self._server.name
            )
        return self._end()

    def _end(self) -> Step:
        """The client has answered the server's signature with an empty response."""
        account = self._users.find(self._server.name)
        if account is None:
            return Failure("credentials", "the account has gone", self._server.name)
        return Success(account, self._server.name)

    def _keys(self, name: str) -> ScramKeys:
        try:
            self._users.check_throttle(name, self._peer_address)
        except LoginThrottled as error:
            raise ScramRefused(str(error)) from error
        found = self._users.scram(name) or self._users.fake_scram(name)
        return ScramKeys(found.salt, found.stored_key, found.server_key, found.iterations)
