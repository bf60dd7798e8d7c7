"""Another mail server, on loopback: it takes mail, and while it is `moody` it defers, refuses or hangs up at random.

Messages are told apart by their `X-Marker:` header. A refused one is refused whenever it comes again.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections import Counter

MARKER = re.compile(rb"^X-Marker: (\S+)", re.MULTILINE)


class HangUp(Exception):
    """This connection ends here."""


class Sink:
    """`port` once started. `taken`: how often each marker was answered 250, `taken_at`: when first."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.is_moody = True
        self.taken: Counter[str] = Counter()
        self.taken_at: dict[str, float] = {}
        self.refused: set[str] = set()
        self.unanswered: set[str] = set()
        """Seen whole, but we hung up instead of answering."""
        self.port = 0
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 20)
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(b"220 sink.test ESMTP\r\n")
            while line := await reader.readline():
                await self._command(line.strip().upper(), reader, writer)
                await writer.drain()
        except (
            HangUp,
            OSError,
            asyncio.IncompleteReadError,
            asyncio.LimitOverrunError,
            asyncio.CancelledError,
        ):
            pass
        finally:
            writer.close()

    async def _command(self, line: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if line.startswith(b"EHLO"):
            writer.write(b"250-sink.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
        elif line.startswith(b"DATA"):
            writer.write(b"354 go on\r\n")
            await writer.drain()
            writer.write(self._judge(await reader.readuntil(b"\r\n.\r\n")))
        elif line.startswith(b"RCPT") and self._happens(0.05):
            writer.write(b"451 4.3.0 not now\r\n")
        elif line.startswith(b"QUIT"):
            writer.write(b"221 2.0.0 bye\r\n")
            await writer.drain()
            raise HangUp
        else:
            writer.write(b"250 2.0.0 ok\r\n")

    def _judge(self, data: bytes) -> bytes:
        found = MARKER.search(data)
        marker = found[1].decode() if found else "?"
        if marker in self.refused or self._happens(0.05):
            self.refused.add(marker)
            return b"554 5.7.1 not wanted here\r\n"
        if self._happens(0.05):
            return b"451 4.3.0 try again\r\n"
        if self._happens(0.03):
            self.unanswered.add(marker)
            raise HangUp
        self.taken[marker] += 1
        self.taken_at.setdefault(marker, time.monotonic())
        return b"250 2.0.0 taken\r\n"

    def _happens(self, likelihood: float) -> bool:
        return self.is_moody and self._chance.random() < likelihood
