"""Standard input and output as a connection that a client has made: `exim -bs`, and inetd (Exim 5.3).

Either may be a file, a pipe, a terminal or a socket, so both are used by threads: no event loop takes all of these. Lines that end with
LF alone are given CRLF when the first one does so: programs on this machine write them. STARTTLS works here as anywhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import socket
import ssl
import time
from collections.abc import Callable, Mapping

from pillarbox.ports.network import DialError, ServerTlsWish, TlsSession
from pillarbox.system.server_tls import choosing_by_name, prepared_tls
from pillarbox.system.tls_layer import TlsLayer, describe_failure, session_of

CHUNK = 65536


class ProgramLines:
    """Gives lines that end with LF alone their CR, when the first one of all does."""

    def __init__(self) -> None:
        self._is_bare: bool | None = None

    def completed(self, data: bytes) -> bytes:
        if self._is_bare is None and b"\n" in data:
            self._is_bare = not data.partition(b"\n")[0].endswith(b"\r")
        return data.replace(b"\n", b"\r\n") if self._is_bare else data


class LocalProgram:
    """What is the same of all programs on this machine that speak with us: nothing is too early, and TLS is done here, since there is no
    transport to do it."""

    tls_cipher = ""
    tls_sni = ""

    def __init__(self) -> None:
        self._lines = ProgramLines()
        self._layer: TlsLayer | None = None
        self._certificate = b""

    async def read(self, timeout: float) -> bytes:
        """As ports.network.ServedConnection."""
        layer = self._layer
        if layer is None:
            return self._lines.completed(await self._receive(timeout))
        while (data := layer.read()) is None:
            layer.receive(await self._receive(timeout))
        return data

    async def write(self, data: bytes, timeout: float) -> None:
        if self._layer is not None:
            self._layer.write(data)
            data = self._layer.outgoing()
        await self._send(data, timeout)

    async def _receive(self, timeout: float) -> bytes:
        """What the program says, as it is; nothing at the end. Raises DialError."""
        raise NotImplementedError

    async def _send(self, data: bytes, timeout: float) -> None:
        """Raises DialError."""
        raise NotImplementedError

    def prepare_tls_server(self, wish: ServerTlsWish) -> None:
        prepared_tls(wish)

    async def start_tls_server(
        self,
        timeout: float,
        wish: ServerTlsWish | None = None,
        choose: Callable[[str], ServerTlsWish | None] | None = None,
    ) -> None:
        if wish is None:
            raise DialError("tls", "there is no certificate")
        tls = prepared_tls(wish)
        layer = TlsLayer(tls.context if choose is None else choosing_by_name(tls, choose))
        try:
            await self._shake_hands(layer, timeout)
        except ssl.SSLError as error:
            await self._send(layer.outgoing(), timeout)
            raise DialError("tls", f"(SSL_accept): {describe_failure(error)}") from error
        self._layer, self._certificate = layer, tls.certificate
        session = session_of(layer.tls, tls.certificate)
        self.tls_cipher, self.tls_sni = session.cipher, session.sni

    async def _shake_hands(self, layer: TlsLayer, timeout: float) -> None:
        """Raises ssl.SSLError, DialError."""
        while not layer.shake_hands():
            await self._send(layer.outgoing(), timeout)
            layer.receive(await self._receive(timeout))
        await self._send(layer.outgoing(), timeout)

    def tls_session(self) -> TlsSession | None:
        return session_of(self._layer.tls, self._certificate) if self._layer is not None else None

    def _parting(self) -> bytes:
        """What is still to be sent when it ends."""
        if self._layer is None:
            return b""
        self._layer.end()
        return self._layer.outgoing()

    def pending(self) -> bool:
        """Programs and files write when they like."""
        return False

    def unread(self, data: bytes) -> None:
        """No proxy stands before a program."""

    def shape(self, *, keepalive: bool, dscp: int) -> None:
        """There is no socket."""

    def channel_bindings(self) -> Mapping[str, bytes]:
        return {}

    def as_client(self) -> None:
        return None


class StandardStream(LocalProgram):
    """ports.network.ServedConnection over descriptors 0 and 1."""

    def __init__(self, reading: int = 0, writing: int = 1) -> None:
        super().__init__()
        self._reading = reading
        self._writing = writing
        self._pending: asyncio.Future[bytes] | None = None
        self.was_lost = False
        """It ended, or nothing came any more, while something was waited for."""
        self._is_closed = False

    @property
    def peer_address(self) -> tuple[str, int]:
        """Of a socket that inetd gave us; else nobody's."""
        return _address(self._reading, is_peer=True)

    @property
    def local_address(self) -> tuple[str, int]:
        return _address(self._reading, is_peer=False)

    @property
    def awaits_input(self) -> bool:
        return self._pending is not None

    async def _receive(self, timeout: float) -> bytes:
        if self._is_closed:
            return b""
        self._pending = asyncio.get_running_loop().run_in_executor(None, self._read_within, timeout)
        try:
            data = await self._pending
        except TimeoutError as error:
            self.was_lost = True
            raise DialError("timeout", "nothing came") from error
        except OSError as error:
            self.was_lost = True
            raise DialError("lost_connection", str(error)) from error
        finally:
            self._pending = None
        self.was_lost = not data and not self._is_closed
        return data

    def _read_within(self, timeout: float) -> bytes:
        """In a thread. It looks up now and then whether anybody still wants what comes: no thread may outlive the session."""
        end = time.monotonic() + timeout
        while not self._is_closed:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError
            if select.select([self._reading], [], [], min(left, 1.0))[0]:
                return os.read(self._reading, CHUNK)
        return b""

    async def _send(self, data: bytes, timeout: float) -> None:
        try:
            await asyncio.wait_for(asyncio.to_thread(_write_all, self._writing, data), timeout)
        except TimeoutError as error:
            raise DialError("timeout", "our answer is not taken") from error
        except OSError as error:
            raise DialError("lost_connection", str(error)) from error

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            with contextlib.suppress(OSError):
                _write_all(self._writing, self._parting())


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _address(descriptor: int, *, is_peer: bool) -> tuple[str, int]:
    with contextlib.suppress(OSError):
        known = socket.socket(fileno=os.dup(descriptor))
        with known:
            if known.family in (socket.AF_INET, socket.AF_INET6):
                found = known.getpeername() if is_peer else known.getsockname()
                return str(found[0]), int(found[1])
    return "", 0
