"""SMTP to the byte: what smtplib would change on the way (line ends, dots, BDAT) is sent as it is."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from types import TracebackType
from typing import Self

_ID = re.compile(rb"id=(\S+)")


class Refused(Exception):
    """The server said no; `str()` is its reply."""


class RawSmtp:
    """One connection, greeted. Use it in `with`."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._file = self._socket.makefile("rb")
        self.reply()
        self.ask(b"EHLO client.example")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._file.close()
        self._socket.close()

    def reply(self) -> bytes:
        """The last line of a reply with code 2xx or 3xx. Raises Refused."""
        while True:
            line = self._file.readline()
            if line[3:4] != b"-":
                break
        if line[:1] not in (b"2", b"3"):
            raise Refused(line.decode("utf-8", "replace").strip() or "connection closed")
        return line

    def ask(self, command: bytes) -> bytes:
        self._socket.sendall(command + b"\r\n")
        return self.reply()

    def _envelope(self, to: str, parameters: bytes) -> None:
        self.ask(b"MAIL FROM:<sender@localhost> " + parameters)
        self.ask(b"RCPT TO:<" + to.encode() + b">")

    def data(self, to: str, content: bytes, parameters: bytes = b"BODY=8BITMIME") -> str:
        """Send `content` (CRLF, not stuffed, complete lines) by DATA; the message id given."""
        self._envelope(to, parameters)
        self.ask(b"DATA")
        stuffed = content.replace(b"\r\n.", b"\r\n..")
        self._socket.sendall((b"." if content.startswith(b".") else b"") + stuffed + b".\r\n")
        return self._id()

    def bdat(self, to: str, chunks: Iterable[bytes], parameters: bytes = b"BODY=8BITMIME") -> str:
        """Send the chunks (anywhere cut) by BDAT, the last of them empty; the message id given. Exim takes no other empty one."""
        self._envelope(to, parameters)
        for chunk in filter(None, chunks):
            self._socket.sendall(b"BDAT %d\r\n" % len(chunk) + chunk)
            self.reply()
        self._socket.sendall(b"BDAT 0 LAST\r\n")
        return self._id()

    def _id(self) -> str:
        found = _ID.search(self.reply())
        assert found is not None
        return found[1].decode()
