"""Logging in to a MariaDB or MySQL server: the handshake, encryption, the password's proof."""

from __future__ import annotations

import hashlib
import ssl
import struct
from collections.abc import Callable
from typing import Protocol

import msgspec

from pillarbox.backends.lookups.mariadb.packets import Packets, ProtocolError, bytes_of, error_message

_LONG_PASSWORD, _CONNECT_WITH_DB, _PROTOCOL_41, _SSL = 0x1, 0x8, 0x200, 0x800
_TRANSACTIONS, _SECURE, _MULTI_RESULTS, _PLUGIN_AUTH = 0x2000, 0x8000, 0x20000, 0x80000
_WANTED = _LONG_PASSWORD | _PROTOCOL_41 | _TRANSACTIONS | _SECURE | _MULTI_RESULTS | _PLUGIN_AUTH
"""Not CLIENT_MULTI_STATEMENTS: one lookup, one statement."""
_UTF8MB4 = 45
_MOST_PACKET = 16 * 1024 * 1024


class _Hash(Protocol):
    def digest(self) -> bytes: ...


class LoginRefused(Exception):
    """The server said no; `str()` is its message."""


class Account(msgspec.Struct, frozen=True):
    user: str
    password: str
    database: str


class Greeting(msgspec.Struct, frozen=True):
    capabilities: int
    salt: bytes
    plugin: str


def read_greeting(payload: bytes) -> Greeting:
    """Protocol::HandshakeV10. Raises LoginRefused, ProtocolError, IndexError, struct.error."""
    if payload[:1] == b"\xff":
        raise LoginRefused(error_message(payload))
    if payload[:1] != b"\x0a":
        raise ProtocolError("protocol version of the server is unknown")
    offset = payload.index(b"\0", 1) + 5
    salt = payload[offset : offset + 8]
    low, _, _, high, length = struct.unpack_from("<HBHHB", payload, offset + 9)
    rest = payload[offset + 27 :]
    second = max(13, length - 8)
    plugin = rest[second:].split(b"\0")[0].decode("ascii", "replace")
    return Greeting(low | high << 16, salt + rest[: second - 1], plugin or "mysql_native_password")


async def log_in(packets: Packets, account: Account, tls: ssl.SSLContext | None, *, is_local: bool) -> None:
    """`is_local`: a Unix socket, where a password may go in clear. Raises LoginRefused, ProtocolError."""
    greeting = read_greeting(await packets.read())
    capabilities = _WANTED | (_CONNECT_WITH_DB if account.database else 0)
    if tls is not None:
        if not greeting.capabilities & _SSL:
            raise LoginRefused("SSL is required, but the server does not support it")
        capabilities |= _SSL
        packets.send(_head(capabilities))
        await packets.writer.start_tls(tls)
    is_private = is_local or tls is not None
    proof = _proof(greeting.plugin, account.password, greeting.salt, is_private)
    body = bytes_of(account.user) + b"\0" + bytes((len(proof),)) + proof
    if account.database:
        body += bytes_of(account.database) + b"\0"
    packets.send(_head(capabilities) + body + greeting.plugin.encode() + b"\0")
    await _finish(packets, account, greeting, is_private)


def _head(capabilities: int) -> bytes:
    return struct.pack("<IIB23x", capabilities, _MOST_PACKET, _UTF8MB4)


async def _finish(packets: Packets, account: Account, greeting: Greeting, is_private: bool) -> None:
    """Until the server is content: it may ask for another plugin once, or for more."""
    plugin, salt = greeting.plugin, greeting.salt
    for _ in range(5):
        payload = await packets.read()
        match payload[:1]:
            case b"\0":
                return
            case b"\xff":
                raise LoginRefused(error_message(payload))
            case b"\xfe":
                name, _, data = payload[1:].partition(b"\0")
                plugin, salt = (
                    name.decode("ascii", "replace") or "mysql_old_password",
                    data.removesuffix(b"\0"),
                )
                packets.send(_proof(plugin, account.password, salt, is_private))
            case b"\x01" if payload[1:2] == b"\x04":
                await _send_whole_password(packets, account.password, salt, is_private)
            case b"\x01":
                pass  # the short proof was enough: the packet behind says so
            case _:
                raise ProtocolError("malformed packet")
    raise ProtocolError("the login does not come to an end")


def _proof(plugin: str, password: str, salt: bytes, is_private: bool) -> bytes:
    secret = bytes_of(password)
    match plugin:
        case "mysql_native_password":
            return _scrambled(hashlib.sha1, secret, salt, salt_first=True)
        case "caching_sha2_password":
            return _scrambled(hashlib.sha256, secret, salt, salt_first=False)
        case "mysql_clear_password" if is_private:
            return secret + b"\0"
        case _:
            raise LoginRefused(f"Plugin {plugin} could not be loaded: not in this program")


def _scrambled(hasher: Callable[[bytes], _Hash], secret: bytes, salt: bytes, *, salt_first: bool) -> bytes:
    """`H(p) xor H(salt + H(H(p)))`, or with the salt behind."""
    if not secret:
        return b""

    once = hasher(secret).digest()
    twice = hasher(once).digest()
    mask = hasher(salt + twice if salt_first else twice + salt).digest()
    return bytes([a ^ b for a, b in zip(once, mask, strict=True)])


async def _send_whole_password(packets: Packets, password: str, salt: bytes, is_private: bool) -> None:
    """caching_sha2's full authentication: in clear where nobody listens, else under the server's RSA key."""
    secret = bytes_of(password) + b"\0"
    if is_private:
        packets.send(secret)
        return
    from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.hashes import SHA1
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    packets.send(b"\x02")
    key = load_pem_public_key((await packets.read())[1:])
    if not isinstance(key, RSAPublicKey):
        raise ProtocolError("the server's key is no RSA key")
    masked = bytes([byte ^ salt[i % len(salt)] for i, byte in enumerate(secret)])
    packets.send(key.encrypt(masked, OAEP(MGF1(SHA1()), SHA1(), None)))
