"""PostgreSQL's messages: a type byte, a length that counts itself, the body."""

from __future__ import annotations

import asyncio
import struct

_INT = struct.Struct("!i")
_SHORT = struct.Struct("!h")
PROTOCOL_3 = 196608
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
MOST_BYTES = 64 * 1024 * 1024
"""Of one message: a row is not larger than that here."""


class ProtocolError(Exception):
    """The server sent what the protocol does not allow."""


def message(kind: bytes, body: bytes = b"") -> bytes:
    return kind + _INT.pack(len(body) + 4) + body


def startup(user: str, database: str) -> bytes:
    """`SQL_ASCII`: values are bytes that nobody converts."""
    fields = {"user": user, "database": database, "client_encoding": "SQL_ASCII"}
    body = b"".join([_text(name) + _text(value) for name, value in fields.items() if value]) + b"\0"
    return _INT.pack(len(body) + 8) + _INT.pack(PROTOCOL_3) + body


def query(text: str) -> bytes:
    return message(b"Q", _text(text))


def _text(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape").replace(b"\0", b"") + b"\0"


async def read_message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """(type, body). Raises asyncio.IncompleteReadError, ProtocolError."""
    head = await reader.readexactly(5)
    length: int = _INT.unpack_from(head, 1)[0]
    if not 4 <= length <= MOST_BYTES:
        raise ProtocolError("message of impossible length")
    return head[:1], await reader.readexactly(length - 4)


def number(body: bytes, offset: int = 0) -> int:
    value: int = _INT.unpack_from(body, offset)[0]
    return value


def text_of(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def column_names(body: bytes) -> list[str]:
    """Of a RowDescription."""
    names, offset = [], 2
    for _ in range(_SHORT.unpack_from(body)[0]):
        end = body.index(b"\0", offset)
        names.append(text_of(body[offset:end]))
        offset = end + 19
    return names


def column_values(body: bytes) -> list[str | None]:
    """Of a DataRow."""
    values: list[str | None] = []
    offset = 2
    for _ in range(_SHORT.unpack_from(body)[0]):
        length = number(body, offset)
        offset += 4
        if length < 0:
            values.append(None)
            continue
        values.append(text_of(body[offset : offset + length]))
        offset += length
    return values


def error_fields(body: bytes) -> dict[str, str]:
    """Of an ErrorResponse, by their letters (`M` message, `D` detail, `P` position …)."""
    fields = [field for field in body.split(b"\0") if field]
    return {chr(field[0]): text_of(field[1:]) for field in fields}
