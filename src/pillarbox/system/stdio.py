"""Standard input and output as a connection that a client has made: `exim -bs`, and inetd (Exim 5.3).

Either may be a file, a pipe, a terminal or a socket, so both are used by threads: no event loop takes all of these. Lines that end with
LF alone are given CRLF when the first one does so: programs on this machine write them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import socket
import time
from collections.abc import Callable, Mapping

from pillarbox.ports.network import DialError, ServerTlsWish, TlsSession

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
    """What is the same of all programs on this machine that speak with us: no TLS, and nothing is too early."""

    tls_cipher = ""
    tls_sni = ""

    async def start_tls_server(
        self,
        timeout: float,
        wish: ServerTlsWish | None = None,
        choose: Callable[[str], ServerTlsWish | None] | None = None,
    ) -> None:
        raise DialError("tls", "there is no TLS on standard input")

    def tls_session(self) -> TlsSession | None:
        return None

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
        self._reading = reading
        self._writing = writing
        self._pending: asyncio.Future[bytes] | None = None
        self._lines = ProgramLines()
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

    async def read(self, timeout: float) -> bytes:
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
        return self._lines.completed(data)

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

    async def write(self, data: bytes, timeout: float) -> None:
        try:
            await asyncio.wait_for(asyncio.to_thread(_write_all, self._writing, data), timeout)
        except TimeoutError as error:
            raise DialError("timeout", "our answer is not taken") from error
        except OSError as error:
            raise DialError("lost_connection", str(error)) from error

    def close(self) -> None:
        self._is_closed = True


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
