"""What goes to the client: gathered into few writes, sent in bounded pieces, waiting while the client is slow.

A message body is never copied as a whole: it is cut into pieces as the connection takes them.
"""

from __future__ import annotations

import asyncio

from pillarbox.ports.network import ServedConnection

_GATHERED = 65_536
_PIECE = 131_072


class Output:
    """`put` gathers; `flush` sends; `drain` sends when much has gathered."""

    __slots__ = ("_connection", "_pieces", "_size", "_timeout")

    def __init__(self, connection: ServedConnection, timeout: float) -> None:
        self._connection = connection
        self._timeout = timeout
        self._pieces: list[bytes] = []
        self._size = 0

    def put(self, data: bytes) -> None:
        if data:
            self._pieces.append(data)
            self._size += len(data)

    async def flush(self) -> None:
        """Raises DialError."""
        if self._pieces:
            data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
            self._pieces.clear()
            self._size = 0
            await self._connection.write(data, self._timeout)

    async def drain(self) -> None:
        """Called between messages: other connections get their turn whenever something is sent."""
        if self._size > _GATHERED:
            await self.flush()
            await asyncio.sleep(0)

    async def put_slice(self, data: bytes, start: int, end: int) -> None:
        """`data[start:end]`, however large."""
        if end - start <= _GATHERED:
            self.put(data[start:end])
            await self.drain()
            return
        await self.flush()
        for at in range(start, end, _PIECE):
            await self._connection.write(data[at : min(at + _PIECE, end)], self._timeout)
            await asyncio.sleep(0)
