"""Our end of one user's process: requests go out numbered, answers find who asked."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Any

import msgspec

from pillarbox.backends.mailstore.remote.frames import BrokenFrames, Frames
from pillarbox.backends.mailstore.remote.requests import Forget, Request, Wait, encode, parse_answer
from pillarbox.backends.mailstore.remote.server import ERRORS
from pillarbox.ports.mailstore import StoreGone

GONE = "the process that serves this user's mail has gone"
PATIENCE = 600.0
"""Seconds: whose process does not answer (the user may have stopped it) does not keep a session for ever."""


class Line:
    """Everything that is asked fails with StoreGone when the process has gone."""

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self._waiting: dict[int, asyncio.Future[bytes | None]] = {}
        self._number = 0
        self._reading = asyncio.ensure_future(self._read())

    @classmethod
    async def open(cls, channel: socket.socket) -> Line:
        """When it has said that the store is open. Raises OSError."""
        reader, writer = await asyncio.open_unix_connection(sock=channel)
        frames = Frames(reader, writer)
        try:
            async with asyncio.timeout(PATIENCE):
                greeting = await frames.read()
            if greeting is None:
                raise StoreGone(0, GONE)
            _value_of(greeting[1], None)
        except (BrokenFrames, msgspec.DecodeError):
            frames.close()
            raise StoreGone(0, GONE) from None
        except BaseException:
            frames.close()
            raise
        return cls(frames)

    @property
    def is_broken(self) -> bool:
        return self._reading.done() or bool(self._reading.cancelling())

    async def ask(self, request: Request, kind: object = None) -> Any:
        """`kind`: what the answer is. Raises what the port's methods raise, StoreGone, OSError."""
        if self.is_broken:
            raise StoreGone(0, GONE)
        self._number = number = self._number % 0xFFFF_FFFF + 1
        future: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            async with asyncio.timeout(PATIENCE + (request.timeout if isinstance(request, Wait) else 0)):
                await self._frames.write(number, encode(request))
                data = await future
        except TimeoutError:
            self.close()
            data = None
        except OSError:
            data = None
        except asyncio.CancelledError:
            self.tell(Forget(number))
            raise
        finally:
            self._waiting.pop(number, None)
        if data is None:
            raise StoreGone(0, GONE)
        return _value_of(data, kind)

    def tell(self, request: Request) -> None:
        """What nobody waits for."""
        self._number = number = self._number % 0xFFFF_FFFF + 1
        with suppress(OSError):
            self._frames.write_soon(number, encode(request))

    async def _read(self) -> None:
        with suppress(BrokenFrames, OSError):
            while (message := await self._frames.read()) is not None:
                future = self._waiting.pop(message[0], None)
                if future is not None and not future.done():
                    future.set_result(message[1])
        self._end()

    def _end(self) -> None:
        self._frames.close()
        for future in self._waiting.values():
            if not future.done():
                future.set_result(None)

    def close(self) -> None:
        self._reading.cancel()
        self._end()


def _value_of(data: bytes, kind: Any) -> Any:
    """Raises what the other end has raised."""
    answer = parse_answer(data)
    if answer.error in ERRORS:
        raise ERRORS[answer.error](answer.text)
    if answer.error:
        raise OSError(answer.code or 5, answer.text)
    return None if kind is None else msgspec.msgpack.decode(answer.value, type=kind)
