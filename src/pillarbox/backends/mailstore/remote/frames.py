"""Messages of any length in numbered pieces, both ways over one socket; answers come in any order.

A piece is its length, its message's number, whether more of it follows, and its bytes.
"""

from __future__ import annotations

import asyncio
import struct

from pillarbox.system.streams import send

_HEADER = struct.Struct("<IIB")
_PIECE = 1 << 18
_KEPT_BESIDE = 256
"""Bytes that holding a piece costs, however short it is."""
MOST = 1 << 28
"""Bytes of one message, and of all that are unfinished."""


class BrokenFrames(Exception):
    """The other end is not what it should be."""


class Frames:
    """One end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._begun: dict[int, list[bytes]] = {}
        self._held = 0
        """Bytes of what is begun."""

    async def read(self) -> tuple[int, bytes] | None:
        """(number, the whole message); None at the end. Raises BrokenFrames, OSError."""
        while True:
            try:
                length, number, more = _HEADER.unpack(await self._reader.readexactly(_HEADER.size))
                if length > _PIECE or self._held + length > MOST:
                    raise BrokenFrames
                piece = await self._reader.readexactly(length)
            except asyncio.IncompleteReadError:
                return None
            pieces = self._begun.setdefault(number, [])
            pieces.append(piece)
            self._held += length + _KEPT_BESIDE
            if not more:
                whole = b"".join(self._begun.pop(number))
                self._held -= len(whole) + _KEPT_BESIDE * len(pieces)
                return number, whole

    async def write(self, number: int, data: bytes) -> None:
        """Pieces of several messages may alternate. Raises OSError."""
        for start in range(0, max(len(data), 1), _PIECE):
            piece = data[start : start + _PIECE]
            send(self._writer, _HEADER.pack(len(piece), number, start + _PIECE < len(data)))
            send(self._writer, piece)
            await self._writer.drain()

    def write_soon(self, number: int, data: bytes) -> None:
        """A short message, without waiting. Raises OSError."""
        send(self._writer, _HEADER.pack(len(data), number, 0) + data)

    def close(self) -> None:
        self._writer.close()
