"""SCRAM-SHA-256 and -PLUS on the server's side (RFC 5802, RFC 7677), over scramp.

The password never crosses the wire and is not kept: the server has only derived keys. With channel binding
(`tls-server-end-point`, `tls-unique`; RFC 5929) a man in the middle cannot pass the exchange on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from scramp import ScramException, ScramMechanism

MAX_MESSAGE = 4096
ITERATIONS = 4096
"""RFC 7677 §4's minimum; the stored keys are no better protected than the argon2 hash beside them."""


class ScramKeys(msgspec.Struct, frozen=True, gc=False):
    salt: bytes
    stored_key: bytes
    server_key: bytes
    iterations: int


class ScramRefused(Exception):
    """The exchange failed. `answer` is the server's final message (`e=invalid-proof`) or empty; `is_malformed` tells grammar from proof."""

    def __init__(self, text: str, answer: bytes = b"", *, is_malformed: bool = False) -> None:
        super().__init__(text)
        self.answer = answer
        self.is_malformed = is_malformed


def derive_keys(password: str, salt: bytes | None = None) -> ScramKeys:
    """Keys for the accounts file; slow by design (thousands of HMACs): call it off the loop."""
    made = ScramMechanism("SCRAM-SHA-256").make_auth_info(password, iteration_count=ITERATIONS, salt=salt)
    return ScramKeys(*made)


class ScramServer:
    """One exchange: `first` with client-first, then `final` with client-final."""

    def __init__(
        self, fetch: Callable[[str], ScramKeys], bindings: Mapping[str, bytes], *, plus: bool
    ) -> None:
        self._fetch = fetch
        self._bindings = bindings
        self._plus = plus
        self._server: Any = None
        self.name = ""

    def first(self, message: bytes) -> bytes:
        """Server-first. Raises ScramRefused."""
        text = _decode(message)
        binding = self._binding(text)
        mechanism = ScramMechanism("SCRAM-SHA-256-PLUS" if self._plus else "SCRAM-SHA-256")
        try:
            self._server = mechanism.make_server(self._keys, channel_binding=binding)
            self._server.set_client_first(text)
            return str(self._server.get_server_first()).encode()
        except ScramException as error:
            raise self._refusal(error, is_malformed=True) from error

    def final(self, message: bytes) -> bytes:
        """Server-final, its signature. Raises ScramRefused."""
        text = _decode(message)
        try:
            self._server.set_client_final(text)
            return str(self._server.get_server_final()).encode()
        except ScramException as error:
            raise self._refusal(error, is_malformed=False) from error

    def _keys(self, name: str) -> tuple[bytes, bytes, bytes, int]:
        self.name = name
        keys = self._fetch(name)
        return keys.salt, keys.stored_key, keys.server_key, keys.iterations

    def _binding(self, client_first: str) -> tuple[str, bytes] | None:
        if not self._plus:
            return None
        kind = client_first.partition(",")[0].removeprefix("p=")
        if kind not in self._bindings:
            raise ScramRefused(
                f"channel binding {kind!r} is not to be had", b"e=unsupported-channel-binding-type"
            )
        return kind, self._bindings[kind]

    def _refusal(self, error: ScramException, *, is_malformed: bool) -> ScramRefused:
        answer = b""
        if error.server_error is not None:
            answer = f"e={error.server_error}".encode()
        return ScramRefused(str(error), answer, is_malformed=is_malformed)


def _decode(message: bytes) -> str:
    if len(message) > MAX_MESSAGE:
        raise ScramRefused("message too long", is_malformed=True)
    try:
        return message.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ScramRefused("message is not UTF-8", is_malformed=True) from error
