"""Proving who we are to a PostgreSQL server: by nothing, the password, its MD5, or SCRAM-SHA-256 (RFC 7677)."""

from __future__ import annotations

import asyncio
import hashlib

from scramp import ScramClient, ScramException

from pillarbox.backends.lookups.postgresql.messages import ProtocolError, message, number, read_message


async def answer_challenge(
    body: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, user: str, password: str
) -> None:
    """Answer an Authentication message that wants something. Raises ProtocolError."""
    match number(body):
        case 0:
            return
        case 3:
            _send_password(writer, _bytes(password))
        case 5:
            _send_password(writer, _md5(user, password, body[4:8]))
        case 10:
            await _scram(body, reader, writer, user, password)
        case other:
            raise ProtocolError(f"authentication method {other} not supported")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _send_password(writer: asyncio.StreamWriter, password: bytes) -> None:
    writer.write(message(b"p", password + b"\0"))


def _md5(user: str, password: str, salt: bytes) -> bytes:
    inner = hashlib.md5(_bytes(password) + _bytes(user), usedforsecurity=False).hexdigest()
    return b"md5" + hashlib.md5(inner.encode() + salt, usedforsecurity=False).hexdigest().encode()


async def _scram(
    body: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, user: str, password: str
) -> None:
    """The key derivation takes milliseconds, so it runs in a thread."""
    if b"SCRAM-SHA-256\0" not in body:
        raise ProtocolError("none of the server's SASL authentication mechanisms are supported")
    client = ScramClient(["SCRAM-SHA-256"], user, password)
    first = client.get_client_first().encode()
    writer.write(message(b"p", b"SCRAM-SHA-256\0" + len(first).to_bytes(4, "big") + first))
    try:
        client.set_server_first((await _sasl(reader, 11)).decode())
        final = await asyncio.to_thread(client.get_client_final)
        writer.write(message(b"p", final.encode()))
        client.set_server_final((await _sasl(reader, 12)).decode())
    except (ScramException, UnicodeDecodeError) as error:
        raise ProtocolError(f"SCRAM exchange failed: {error}") from None


class LoginRefused(Exception):
    """The server said no; `body` is its ErrorResponse."""

    def __init__(self, body: bytes) -> None:
        super().__init__("refused")
        self.body = body


async def _sasl(reader: asyncio.StreamReader, wanted: int) -> bytes:
    kind, body = await read_message(reader)
    if kind == b"E":
        raise LoginRefused(body)
    if kind != b"R" or number(body) != wanted:
        raise ProtocolError("unexpected message during SASL authentication")
    return body[4:]
