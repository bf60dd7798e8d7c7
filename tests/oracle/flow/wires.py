"""Both directions of a conversation with a mail server, over pipes or a socket."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import time

PATIENCE = 10.0
"""Seconds that a reply may take."""


class PipedTls:
    """A client's TLS where there is no socket."""

    def __init__(self, context: ssl.SSLContext, name: str) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        self._ahead: bytes | None = None

    def receive(self, data: bytes) -> None:
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def outgoing(self) -> bytes:
        return self._outgoing.read()

    def shake_hands(self) -> bool:
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    @property
    def is_pending(self) -> bool:
        """There is something to read, or the end, without that more must come."""
        if self._ahead is None:
            self._ahead = self._decrypted()
        return self._ahead is not None

    def encrypted(self, data: bytes) -> bytes:
        self.tls.write(data)
        return self.outgoing()

    def decrypted(self) -> bytes | None:
        """None: more must come."""
        data, self._ahead = self._ahead, None
        return self._decrypted() if data is None else data

    def _decrypted(self) -> bytes | None:
        try:
            return self.tls.read(65536)
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLError:
            return b""


class Wire:
    """`write_to`: a descriptor that it closes; with `sock` everything goes there."""

    def __init__(self, read_from: int, write_to: int, sock: socket.socket | None = None) -> None:
        self._read_from = read_from
        self._write_to = write_to
        self._socket = sock
        self._buffer = b""
        self._has_ended = False
        self._layer: PipedTls | None = None

    def send(self, data: bytes) -> None:
        if self._layer is not None:
            data = self._layer.encrypted(data)
        self._send(data)

    def _send(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # they have gone: the next read says so
            if self._socket is not None:
                self._socket.sendall(data)
            else:
                os.write(self._write_to, data)

    def line(self, patience: float = PATIENCE) -> bytes | None:
        """With its line end; empty: they have closed; None: they keep silent."""
        end = time.monotonic() + patience
        while b"\n" not in self._buffer and not self._has_ended:
            is_pending = isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()
            is_pending = is_pending or (self._layer is not None and self._layer.is_pending)
            left = end - time.monotonic()
            if not is_pending and (left <= 0 or not select.select([self._read_from], [], [], left)[0]):
                return None
            data = self._receive()
            self._has_ended = not data
            self._buffer += data
        line, newline, self._buffer = self._buffer.partition(b"\n")
        return line + newline

    def _receive(self) -> bytes:
        if self._layer is None:
            return self._read()
        while (data := self._layer.decrypted()) is None:
            self._layer.receive(self._read())
        return data

    def _read(self) -> bytes:
        try:
            return self._socket.recv(65536) if self._socket is not None else os.read(self._read_from, 65536)
        except OSError:
            return b""

    def end(self) -> None:
        with contextlib.suppress(OSError):
            if self._socket is not None:
                self._socket.shutdown(socket.SHUT_WR)
            elif self._write_to >= 0:
                os.close(self._write_to)
                self._write_to = -1

    def drop(self) -> None:
        self.end()
        if self._socket is not None:
            self._socket.close()
        self._has_ended = True

    def beside(self) -> str:
        """What another connection from the same address hears first; it ends then."""
        assert self._socket is not None
        source = (self._socket.getsockname()[0], 0)
        with socket.create_connection(self._socket.getpeername(), PATIENCE, source) as other:
            wire = Wire(other.fileno(), -1, other)
            return (wire.line() or b"").decode().rstrip("\r\n")

    def shake_hands_over_pipes(self, context: ssl.SSLContext, name: str) -> ssl.SSLObject:
        """Raises OSError."""
        layer = PipedTls(context, name)
        while not layer.shake_hands():
            self._send(layer.outgoing())
            if not select.select([self._read_from], [], [], PATIENCE)[0]:
                raise TimeoutError("no answer")
            layer.receive(self._read())
        self._send(layer.outgoing())
        self._layer = layer
        return layer.tls

    def shake_hands(self) -> str:
        """As a client that believes any certificate; what came of it."""
        assert self._socket is not None
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self._socket.settimeout(PATIENCE)
        try:
            self._socket = context.wrap_socket(self._socket, server_hostname="mx.example")
        except OSError as error:
            return f"handshake failed: {type(error).__name__}"
        self._read_from = self._socket.fileno()
        return f"handshake: {self._socket.version()}"
