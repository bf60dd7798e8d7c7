"""A local program's conversation, handed over to the daemon through a UNIX socket: what `exim -bs` reads and writes for its caller.

Like standard input (`stdio`) it has no address, and its lines may end with LF alone; here the loop waits for all of it.
"""

from __future__ import annotations

import asyncio
import contextlib

from pillarbox.ports.network import DialError
from pillarbox.system.stdio import CHUNK, LocalProgram
from pillarbox.system.streams import send


class HandedOver(LocalProgram):
    """ports.network.ServedConnection over a pair of asyncio streams."""

    peer_address = ("", 0)
    local_address = ("", 0)

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__()
        self._reader = reader
        self._writer = writer
        self.awaits_input = False

    async def _receive(self, timeout: float) -> bytes:
        self.awaits_input = True
        try:
            async with asyncio.timeout(timeout):
                return await self._reader.read(CHUNK)
        except TimeoutError as error:
            raise DialError("timeout", "nothing came") from error
        except OSError as error:
            raise DialError("lost_connection", str(error)) from error
        finally:
            self.awaits_input = False

    async def _send(self, data: bytes, timeout: float) -> None:
        try:
            send(self._writer, data)
            async with asyncio.timeout(timeout):
                await self._writer.drain()
        except TimeoutError as error:
            raise DialError("timeout", "our answer is not taken") from error
        except OSError as error:
            raise DialError("lost_connection", str(error)) from error

    def close(self) -> None:
        with contextlib.suppress(OSError):
            send(self._writer, self._parting())
        self._writer.close()
