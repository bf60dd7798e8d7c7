"""Questions over UDP: a few connected sockets per name server, each carrying many questions at once.

A connected socket takes packets from its server only and reports "connection refused". Ids are random, and so are the ports (the kernel
picks them); a socket is replaced after a number of questions, so that its port cannot be learned and then flooded (RFC 5452).
A packet with an unknown id or another question is dropped without disturbing who waits.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import socket

from pillarbox.system.dns.packet import answers_question, encode_query
from pillarbox.system.dns.servers import NameServer

_SOCKETS_PER_SERVER = 4
_QUESTIONS_PER_SOCKET = 200
_PACKETS_AT_ONCE = 64
_RECEIVE_SIZE = 4096
_RANDOM = random.SystemRandom()


class ServerSilent(Exception):
    """No usable answer: time-out or refused. `str()` is for the log."""


class UdpPool:
    """The sockets for one name server."""

    __slots__ = ("_channels", "_server")

    def __init__(self, server: NameServer) -> None:
        self._server = server
        self._channels: list[_Channel] = []

    async def ask(self, question: bytes, timeout: float, *, edns: bool = True) -> bytes:
        """The packet that answers `question`. Raises ServerSilent."""
        return await self._channel().ask(question, timeout, edns)

    def _channel(self) -> _Channel:
        channels = self._channels
        if len(channels) < _SOCKETS_PER_SERVER:
            channels.append(_Channel(self._server))
            return channels[-1]
        index = _RANDOM.randrange(len(channels))
        if channels[index].is_spent:
            channels[index].retire()
            channels[index] = _Channel(self._server)
        return channels[index]

    def close(self) -> None:
        for channel in self._channels:
            channel.close()
        self._channels.clear()


class _Channel:
    """One socket and who waits on it."""

    __slots__ = ("_asked", "_is_retired", "_loop", "_socket", "_waiting")

    def __init__(self, server: NameServer) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, tuple[bytes, asyncio.Future[bytes]]] = {}
        self._asked = 0
        self._is_retired = False
        self._socket: socket.socket | None = _connected_socket(server)
        self._loop.add_reader(self._socket.fileno(), self._receive)

    @property
    def is_spent(self) -> bool:
        return self._asked >= _QUESTIONS_PER_SOCKET or self._socket is None

    def retire(self) -> None:
        """No more questions; the socket goes when the last waiter has gone."""
        self._is_retired = True
        self._close_when_idle()

    def close(self) -> None:
        self._is_retired = True
        for _, future in self._waiting.values():
            future.cancel()
        self._waiting.clear()
        self._close_when_idle()

    async def ask(self, question: bytes, timeout: float, edns: bool) -> bytes:
        query_id = secrets.randbits(16)
        while query_id in self._waiting:
            query_id = secrets.randbits(16)
        future: asyncio.Future[bytes] = self._loop.create_future()
        self._waiting[query_id] = (question, future)
        self._asked += 1
        timer = self._loop.call_later(timeout, _expire, future)
        try:
            self._send(encode_query(query_id, question, edns=edns))
            return await future
        finally:
            timer.cancel()
            self._waiting.pop(query_id, None)
            self._close_when_idle()

    def _send(self, packet: bytes) -> None:
        if self._socket is None:
            raise ServerSilent("socket was closed")
        try:
            self._socket.send(packet)
        except BlockingIOError:
            return  # the buffer is full: as good as lost on the way, the next try follows
        except OSError as error:
            raise ServerSilent(f"cannot ask: {error.strerror or error}") from None

    def _receive(self) -> None:
        for _ in range(_PACKETS_AT_ONCE):
            if self._socket is None:
                return
            try:
                packet = self._socket.recv(_RECEIVE_SIZE)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                self._fail_all(error)
                return
            self._take(packet)

    def _take(self, packet: bytes) -> None:
        waiting = self._waiting.get(int.from_bytes(packet[:2], "big"))
        if waiting is None or not answers_question(packet, waiting[0]):
            return
        if not waiting[1].done():
            waiting[1].set_result(packet)

    def _fail_all(self, error: OSError) -> None:
        for _, future in self._waiting.values():
            if not future.done():
                future.set_exception(ServerSilent(f"cannot ask: {error.strerror or error}"))

    def _close_when_idle(self) -> None:
        if self._is_retired and not self._waiting and self._socket is not None:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None


def _connected_socket(server: NameServer) -> socket.socket:
    family = socket.AF_INET6 if ":" in server.address else socket.AF_INET
    try:
        made = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            made.connect((server.address, server.port))
        except OSError:
            made.close()
            raise
    except OSError as error:
        raise ServerSilent(f"cannot ask: {error.strerror or error}") from None
    return made


def _expire(future: asyncio.Future[bytes]) -> None:
    if not future.done():
        future.set_exception(ServerSilent("timed out"))
