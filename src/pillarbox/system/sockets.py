"""One question to one server over a UNIX or TCP socket, with TLS when wished (`${readsocket}`)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl

from pillarbox.mail.taint import plain
from pillarbox.ports.sockets import SocketTrouble, SocketWish, Talk
from pillarbox.system.streams import send

_PIECE = 64 * 1024
_LINE = 16 * 1024
"""Bytes of a line, at most."""
_LOOKUP = 30.0
"""Seconds for the address of a name."""
_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class SystemSockets:
    async def open(self, path: str, *, timeout: float, lifetime: float) -> Talk:
        try:
            async with asyncio.timeout(timeout):
                reader, writer = await asyncio.open_unix_connection(path, limit=_LINE)
        except TimeoutError:
            raise SocketTrouble("connection timed out") from None
        except (OSError, ValueError) as error:
            raise SocketTrouble(f"failed to connect to socket {path}: {_reason(error)}") from None
        return _SystemTalk(reader, writer, timeout, lifetime)

    async def tell(self, host: str, port: int, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_LOOKUP):
                [(family, *_, address), *_] = await loop.getaddrinfo(
                    host, port % 65536, type=socket.SOCK_DGRAM
                )
        except (OSError, UnicodeError, TimeoutError):
            raise SocketTrouble(f"no IP address found for host {host}") from None
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto(data, address)

    async def ask(self, wish: SocketWish, *, timeout: float, limit: int) -> bytes:
        """`timeout` bounds each of connecting and the exchange."""
        if wish.is_udp:
            return await _ask_by_datagram(wish, timeout)
        try:
            async with asyncio.timeout(timeout):
                reader, writer = await (_connect_unix(wish.path) if not wish.host else _connect_inet(wish))
        except TimeoutError:
            raise SocketTrouble("connection timed out") from None
        try:
            async with asyncio.timeout(timeout):
                await _write(writer, wish)
                return await _read(reader, limit)
        except TimeoutError:
            raise SocketTrouble("socket read timed out") from None
        finally:
            writer.transport.abort()


class _SystemTalk:
    """ports.sockets.Talk."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timeout: float, lifetime: float
    ) -> None:
        self._reader, self._writer, self._timeout = reader, writer, timeout
        self._end = asyncio.get_running_loop().call_later(lifetime, writer.transport.abort)

    def send(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            send(self._writer, data)

    async def line(self) -> bytes:
        try:
            async with asyncio.timeout(self._timeout):
                line = await self._reader.readuntil(b"\n")
        except TimeoutError:
            raise SocketTrouble("socket read timed out") from None
        except asyncio.IncompleteReadError:
            raise SocketTrouble("the connection was closed") from None
        except (OSError, asyncio.LimitOverrunError) as error:
            raise SocketTrouble(f"socket read failed: {_reason(error)}") from None
        return line[:-1]

    def close(self) -> None:
        self._end.cancel()
        self._writer.transport.abort()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        if not self.answer.done():
            self.answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc)


async def _ask_by_datagram(wish: SocketWish, timeout: float) -> bytes:
    """The socket is connected: what comes from elsewhere is not seen."""
    loop = asyncio.get_running_loop()
    try:
        transport, protocol = await loop.create_datagram_endpoint(
            _Datagrams, remote_addr=(wish.host, _port(wish.port))
        )
    except OSError as error:
        raise SocketTrouble(f"failed to connect to {wish.host}: {_reason(error)}") from None
    try:
        transport.sendto(wish.request)
        async with asyncio.timeout(timeout):
            return await protocol.answer
    except TimeoutError:
        raise SocketTrouble("socket read timed out") from None
    except OSError as error:
        raise SocketTrouble(f"socket read failed: {_reason(error)}") from None
    finally:
        transport.abort()


async def _connect_unix(path: str) -> _Streams:
    try:
        return await asyncio.open_unix_connection(path)
    except (OSError, ValueError) as error:
        raise SocketTrouble(f"failed to connect to socket {path}: {_reason(error)}") from None


async def _connect_inet(wish: SocketWish) -> _Streams:
    bare = wish.host[1:-1] if wish.host.startswith("[") and wish.host.endswith("]") else wish.host
    context = _tls_context() if wish.tls else None
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(bare, _port(wish.port), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise SocketTrouble(f"no IP address found for host {wish.host}") from None
    trouble: Exception | None = None
    for *_, address in found:
        try:
            return await asyncio.open_connection(
                str(address[0]),
                int(address[1]),
                ssl=context,
                server_hostname=plain(wish.server_name or bare) if context else None,
            )
        except (OSError, ValueError) as error:
            trouble = error
    raise SocketTrouble(f"failed to connect to any address for {wish.host}: {_reason(trouble)}") from None


def _port(text: str) -> int:
    if text.isascii() and text.isdigit():
        number = int(text[:9])
        if number > 65535:
            raise SocketTrouble(f"port number {text} is too large")
        return number
    try:
        return socket.getservbyname(text, "tcp")
    except OSError:
        raise SocketTrouble(f'unknown port "{text}"') from None


def _tls_context() -> ssl.SSLContext:
    """Exim does not verify the server here, and neither do we: the request goes to a host that the configuration names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _write(writer: asyncio.StreamWriter, wish: SocketWish) -> None:
    try:
        if wish.request:
            send(writer, wish.request)
            await writer.drain()
        if wish.shuts_down and not wish.tls and writer.can_write_eof():
            writer.write_eof()
    except OSError as error:
        raise SocketTrouble(f"request write to socket failed: {_reason(error)}") from None


async def _read(reader: asyncio.StreamReader, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    try:
        while piece := await reader.read(_PIECE):
            size += len(piece)
            if size > limit:
                raise SocketTrouble(f"the answer exceeds {limit} bytes")
            parts.append(piece)
    except OSError as error:
        raise SocketTrouble(f"socket read failed: {_reason(error)}") from None
    return b"".join(parts)


def _reason(error: Exception | None) -> str:
    number = getattr(error, "errno", None)
    return os.strerror(number) if number else str(error)
