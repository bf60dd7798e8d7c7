"""SCRAM-SHA-256 and -PLUS on the server's side (RFC 5802, RFC 7677).

The password never crosses the wire and is not kept: the server has only derived keys. With channel binding
(`tls-server-end-point`, `tls-unique`; RFC 5929) a man in the middle cannot pass the exchange on.

The keys are derived by scramp. The exchange is our own, because scramp's server refuses an authorization identity, which Cyrus SASL and
GNU SASL (mbsync, mutt) always send: their user's own name. Another one is refused here too: nobody acts for anybody else.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Mapping

import msgspec

MAX_MESSAGE = 4096
ITERATIONS = 4096
"""RFC 7677 §4's minimum; the stored keys are no better protected than the argon2 hash beside them."""


_FIRST = re.compile(
    r"(?P<header>(?:n|y|p=(?P<kind>[A-Za-z0-9.-]+)),(?:a=(?P<authzid>[^,\0]+))?,)"
    r"(?P<bare>n=(?P<name>[^,\0]+),r=(?P<nonce>[!-+\--~]+)(?:,[A-Za-z]=[^,\0]+)*)"
)
_FINAL = re.compile(
    r"(?P<unproved>c=(?P<binding>[A-Za-z0-9+/=]+),r=(?P<nonce>[!-+\--~]+)(?:,[A-Za-z]=[^,\0]+)*),p=(?P<proof>[A-Za-z0-9+/=]+)"
)
_STRAY_EQUALS = re.compile(r"=(?!2C|3D)")


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
    from scramp import ScramMechanism  # slow to import, and hardly ever needed

    made = ScramMechanism("SCRAM-SHA-256").make_auth_info(password, iteration_count=ITERATIONS, salt=salt)
    return ScramKeys(*made)


class ScramServer:
    """One exchange: `first` with client-first, then `final` with client-final."""

    def __init__(
        self, fetch: Callable[[str], ScramKeys], bindings: Mapping[str, bytes], *, plus: bool
    ) -> None:
        """`fetch` gives the keys of a name, made-up ones when there is no such account; it may raise ScramRefused."""
        self._fetch = fetch
        self._bindings = bindings
        self._plus = plus
        self._keys = ScramKeys(b"", b"", b"", 0)
        self._nonce = self._exchanged = ""
        self._bound = b""
        self.name = ""

    def first(self, message: bytes) -> bytes:
        """Server-first. Raises ScramRefused."""
        match = _FIRST.fullmatch(_decode(message))
        if match is None:
            raise ScramRefused("client-first is malformed", b"e=other-error", is_malformed=True)
        self._bound = match["header"].encode() + self._binding(match["kind"])
        name = _unescape(match["name"])
        if match["authzid"] is not None and _unescape(match["authzid"]) != name:
            raise ScramRefused(f"{name!r} may not act for another user", b"e=other-error")
        self.name = name
        self._keys = keys = self._fetch(name)
        self._nonce = match["nonce"] + secrets.token_urlsafe(24)
        answer = f"r={self._nonce},s={_encode(keys.salt)},i={keys.iterations}"
        self._exchanged = f"{match['bare']},{answer}"
        return answer.encode()

    def final(self, message: bytes) -> bytes:
        """Server-final, its signature. Raises ScramRefused."""
        match = _FINAL.fullmatch(_decode(message))
        if match is None or match["nonce"] != self._nonce:
            raise ScramRefused("client-final is malformed", b"e=other-error", is_malformed=True)
        if not hmac.compare_digest(_base64(match["binding"]), self._bound):
            raise ScramRefused("channel bindings differ", b"e=channel-bindings-dont-match")
        exchanged = f"{self._exchanged},{match['unproved']}".encode()
        if not self._is_proved(exchanged, _base64(match["proof"])):
            raise ScramRefused("the proof is wrong", b"e=invalid-proof")
        return f"v={_encode(hmac.digest(self._keys.server_key, exchanged, 'sha256'))}".encode()

    def _is_proved(self, exchanged: bytes, proof: bytes) -> bool:
        """RFC 5802 §3: the proof is ClientKey XOR ClientSignature; StoredKey is H(ClientKey)."""
        signature = hmac.digest(self._keys.stored_key, exchanged, "sha256")
        if len(proof) != len(signature):
            return False
        client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
        return hmac.compare_digest(hashlib.sha256(client_key).digest(), self._keys.stored_key)

    def _binding(self, kind: str | None) -> bytes:
        """What follows the header in `c=`; `kind` is None when the client does not bind."""
        if (kind is not None) != self._plus:
            raise ScramRefused(
                "the client's flag does not fit the mechanism", b"e=other-error", is_malformed=True
            )
        if kind is None:
            return b""
        if kind not in self._bindings:
            raise ScramRefused(
                f"channel binding {kind!r} is not to be had", b"e=unsupported-channel-binding-type"
            )
        return self._bindings[kind]


def _unescape(saslname: str) -> str:
    if _STRAY_EQUALS.search(saslname):
        raise ScramRefused("name is malformed", b"e=invalid-username-encoding", is_malformed=True)
    return saslname.replace("=2C", ",").replace("=3D", "=")


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ScramRefused("base64 is malformed", b"e=other-error", is_malformed=True) from error


def _decode(message: bytes) -> str:
    if len(message) > MAX_MESSAGE:
        raise ScramRefused("message too long", is_malformed=True)
    try:
        return message.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ScramRefused("message is not UTF-8", is_malformed=True) from error
