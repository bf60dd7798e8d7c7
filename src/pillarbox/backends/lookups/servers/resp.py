"""RESP2, Redis's protocol: commands as arrays of strings, answers of five kinds.

Our own, because importing the usual driver takes a second of CPU time in the middle of a delivery. Known gap: no TLS.
"""

from __future__ import annotations

import asyncio
from typing import TypeAlias

import msgspec

from pillarbox.backends.lookups.servers.pool import QUERY_LIMIT
from pillarbox.system.streams import send

MOST_BYTES = 16 * 1024 * 1024
MOST_ELEMENTS = 100_000
_MOST_DEPTH = 8


class Status(msgspec.Struct, frozen=True):
    text: str


class Refusal(msgspec.Struct, frozen=True):
    """`ERR unknown command`, `MOVED 1 127.0.0.1:7001`"""

    text: str


Answer: TypeAlias = "str | int | Status | Refusal | list[Answer] | None"


class ProtocolError(Exception):
    """The server sent what the protocol does not allow."""


class RespConnection:
    """Implements `servers.pool.Connection`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._is_idle = True

    @property
    def is_usable(self) -> bool:
        return self._is_idle and not self._reader.at_eof() and not self._writer.is_closing()

    def close(self) -> None:
        self._writer.close()

    async def ask(self, *words: str) -> Answer:
        """Raises OSError, EOFError, TimeoutError, ProtocolError, ValueError: the connection is of no more use then."""
        self._is_idle = False
        parts = [word.encode("utf-8", "surrogateescape") for word in words]
        send(
            self._writer,
            b"*%d\r\n" % len(parts) + b"".join([b"$%d\r\n%b\r\n" % (len(part), part) for part in parts]),
        )
        async with asyncio.timeout(QUERY_LIMIT):
            answer = await self._read(_MOST_DEPTH)
        self._is_idle = True
        return answer

    async def _read(self, depth: int) -> Answer:
        line = (await self._reader.readuntil(b"\r\n"))[:-2]
        kind, rest = line[:1], line[1:]
        match kind:
            case b"+":
                return Status(_text(rest))
            case b"-":
                return Refusal(_text(rest))
            case b":":
                return int(rest)
            case b"$":
                return await self._read_string(int(rest))
            case b"*" if depth > 0:
                return await self._read_array(int(rest), depth - 1)
            case _:
                raise ProtocolError("malformed answer")

    async def _read_string(self, length: int) -> str | None:
        if length < 0:
            return None
        if length > MOST_BYTES:
            raise ProtocolError("answer is too large")
        return _text((await self._reader.readexactly(length + 2))[:-2])

    async def _read_array(self, count: int, depth: int) -> Answer:
        if count < 0:
            return None
        if count > MOST_ELEMENTS:
            raise ProtocolError("answer is too large")
        return [await self._read(depth) for _ in range(count)]


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
