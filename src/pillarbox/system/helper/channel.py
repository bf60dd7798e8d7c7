"""Our side of a channel to the helper: requests go out together, answers come back in order.

What is asked within one turn of the loop is sent with one system call, so a busy worker and its desk exchange dozens of deliveries for
each time they wake one another.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable

import msgspec

from pillarbox.ports.localwork import WorkRefused
from pillarbox.system.helper.requests import (
    Answer,
    Frames,
    FrameTooLong,
    Refusal,
    Request,
    frame_of,
    parse_answer,
)

GONE = "the root helper has gone"
_READ = 1 << 18
_TOGETHER = 1 << 17
"""Bytes sent in one call at most."""


class HelperGone(WorkRefused):
    """Whoever served the channel has died; what was asked of him may have been done."""


class Channel:
    """One socket. Everything waiting fails when it breaks."""

    __slots__ = (
        "_answers",
        "_frames",
        "_is_sending",
        "_loop",
        "_outgoing",
        "_socket",
        "_waiting",
        "is_broken",
    )

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._loop = asyncio.get_running_loop()
        self._frames = Frames()
        self._outgoing: deque[tuple[bytes, tuple[int, ...]]] = deque()
        self._waiting: deque[tuple[float, asyncio.Future[Answer | None]]] = deque()
        self._is_sending = False
        self.is_broken = False
        self._loop.add_reader(end, self._receive)

    @property
    def load(self) -> int:
        return len(self._waiting)

    @property
    def stuck_for(self) -> float:
        """Seconds that the oldest request has waited."""
        return self._loop.time() - self._waiting[0][0] if self._waiting else 0.0

    async def ask(self, request: Request, descriptors: tuple[int, ...] = ()) -> Answer:
        """Descriptors must stay open meanwhile. Raises WorkRefused when the helper refuses, HelperGone."""
        if self.is_broken:
            raise HelperGone(GONE)
        try:
            frame = frame_of(request)
        except (UnicodeEncodeError, TypeError) as error:
            raise WorkRefused(f"this cannot be told to the root helper: {error}") from None
        future: asyncio.Future[Answer | None] = self._loop.create_future()
        self._outgoing.append((frame, descriptors))
        self._waiting.append((self._loop.time(), future))
        if not self._is_sending:
            self._is_sending = True
            self._loop.call_soon(self._send)
        answer = await future
        if answer is None:
            raise HelperGone(GONE)
        if isinstance(answer, Refusal):
            raise WorkRefused(answer.why)
        return answer

    def interrupt(self) -> None:
        """A word out of order, which kills the command that runs."""
        self._guarded(lambda: self._socket.send(b"!"))

    def close(self) -> None:
        self._break()

    def _send(self) -> None:
        self._is_sending = False
        self._guarded(self._send_all)

    def _send_all(self) -> None:
        while self._outgoing:
            data, descriptors = self._next_piece()
            try:
                if descriptors:
                    sent = socket.send_fds(self._socket, [data], list(descriptors))
                else:
                    sent = self._socket.send(data)
            except BlockingIOError:
                self._put_back(data, descriptors)
                return
            if sent < len(data):
                self._put_back(data[sent:], ())
                return
        self._loop.remove_writer(self._socket)

    def _next_piece(self) -> tuple[bytes, tuple[int, ...]]:
        """Frames without descriptors that stand together."""
        data, descriptors = self._outgoing.popleft()
        if descriptors or not self._outgoing or len(data) > _TOGETHER:
            return data, descriptors
        pieces, size = [data], len(data)
        while self._outgoing and not self._outgoing[0][1] and size < _TOGETHER:
            pieces.append(self._outgoing.popleft()[0])
            size += len(pieces[-1])
        return b"".join(pieces), ()

    def _put_back(self, data: bytes, descriptors: tuple[int, ...]) -> None:
        self._outgoing.appendleft((data, descriptors))
        self._is_sending = True
        self._loop.add_writer(self._socket, self._send)

    def _receive(self) -> None:
        self._guarded(self._receive_some)

    def _receive_some(self) -> None:
        try:
            data = self._socket.recv(_READ)
        except BlockingIOError:
            return
        if not data:
            raise ConnectionResetError
        for frame in self._frames.take(data):
            _, future = self._waiting.popleft()
            if not future.done():
                future.set_result(parse_answer(frame))

    def _guarded(self, action: Callable[[], object]) -> None:
        if self.is_broken:
            return
        try:
            action()
        except (OSError, IndexError, FrameTooLong, msgspec.DecodeError):
            self._break()

    def _break(self) -> None:
        if self.is_broken:
            return
        self.is_broken = True
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()
        while self._waiting:
            _, future = self._waiting.popleft()
            if not future.done():
                future.set_result(None)
