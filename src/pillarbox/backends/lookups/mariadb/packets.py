"""MySQL packets: three bytes length, a sequence number, the payload; numbers and strings with a length in front."""

from __future__ import annotations

import asyncio

MOST_BYTES = 64 * 1024 * 1024
"""Of one payload."""
_LARGEST = 0xFFFFFF


class ProtocolError(Exception):
    """The server sent what the protocol does not allow."""


class Packets:
    """Payloads in and out of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._sequence = 0

    def begin(self) -> None:
        """A new command: numbers start again."""
        self._sequence = 0

    def send(self, payload: bytes) -> None:
        while True:
            part, payload = payload[:_LARGEST], payload[_LARGEST:]
            self.writer.write(len(part).to_bytes(3, "little") + bytes((self._sequence,)) + part)
            self._sequence = (self._sequence + 1) & 255
            if len(part) < _LARGEST:
                return

    async def read(self) -> bytes:
        """Raises asyncio.IncompleteReadError, ProtocolError."""
        payload = b""
        while True:
            head = await self.reader.readexactly(4)
            length = int.from_bytes(head[:3], "little")
            self._sequence = (head[3] + 1) & 255
            if len(payload) + length > MOST_BYTES:
                raise ProtocolError("packet is too large")
            payload += await self.reader.readexactly(length)
            if length < _LARGEST:
                return payload


def read_number(payload: bytes, offset: int) -> tuple[int | None, int]:
    """A length-encoded number and the offset behind it; None stands for NULL. Raises IndexError."""
    first = payload[offset]
    if first < 0xFB:
        return first, offset + 1
    if first == 0xFB:
        return None, offset + 1
    size = {0xFC: 2, 0xFD: 3, 0xFE: 8}.get(first)
    if size is None or len(payload) < offset + 1 + size:
        raise ProtocolError("malformed packet")
    return int.from_bytes(payload[offset + 1 : offset + 1 + size], "little"), offset + 1 + size


def read_text(payload: bytes, offset: int) -> tuple[str | None, int]:
    """A length-encoded string and the offset behind it."""
    length, offset = read_number(payload, offset)
    if length is None:
        return None, offset
    end = offset + length
    if end > len(payload):
        raise ProtocolError("malformed packet")
    return text_of(payload[offset:end]), end


def text_of(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def bytes_of(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def column_name(payload: bytes) -> str:
    """The fifth string of a column definition: behind catalogue, schema, table and the table's own name."""
    name: str | None = ""
    offset = 0
    for _ in range(5):
        name, offset = read_text(payload, offset)
    return name or ""


def row_values(payload: bytes, columns: int) -> list[str | None]:
    values, offset = [], 0
    for _ in range(columns):
        value, offset = read_text(payload, offset)
        values.append(value)
    return values


def is_end(payload: bytes) -> bool:
    return payload[:1] == b"\xfe" and len(payload) < 9


def error_message(payload: bytes) -> str:
    """Of an error packet: behind the number and, where there is one, the SQL state."""
    text = payload[3:]
    return text_of(text[6:] if text[:1] == b"#" else text)
