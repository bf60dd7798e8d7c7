"""A mail server that says what a script tells it to, and writes down all that it hears.

A script is a list of lines:

    PIPELINING SIZE=1000000 AUTH=PLAIN          what it offers; `lmtp`, `socks`, `tls` (STARTTLS), `tls-first`, `down` … are its ways
    RCPT TO:<bad@ => 550 no such user           what it says to commands that begin so; `;` divides first, second … time, the last stays
    . => 451 later                              `.` the end of the message, CONNECT the banner, `AUTH+` what follows a 334, TLS the handshake

`\\n` divides lines. HANG says nothing, CLOSE hangs up (behind a reply too), RST breaks off, WAIT comes before a late reply.
What was heard: one list of lines for each connection; `>` marks a command behind which more was waiting already, `|` the message's lines.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import threading
from typing import NamedTuple

from pillarbox.system.openssl import OpenSslContext
from pillarbox.system.tls_layer import TlsLayer

LONGEST = 12.0
"""Seconds that a connection may last in silence."""
_OWN = {
    "lmtp",
    "tls",
    "tls-first",
    "wrong-name",
    "down",
    "client-cert",
    "tls12",
    "socks",
    "alpn",
    "whole-chain",
    "stapled-good",
    "stapled-revoked",
    "stapled-expired",
    "stapled-stranger",
    "stapled-appointed",
}


class Rule(NamedTuple):
    start: str
    replies: list[str]


class Gone(Exception):
    """The connection is over."""


class ScriptedPeer:
    """One server on one address."""

    def __init__(self, address: str, script: list[str], tls: ssl.SSLContext | None, port: int = 25) -> None:
        self.address = address
        self.heard: list[list[str]] = []
        self.ways: set[str] = set()
        self._offers: list[str] = []
        self._rules: list[Rule] = []
        self._tls = tls
        for line in script:
            self._read(line)
        self._listener: socket.socket | None = None
        if "down" not in self.ways:
            self._listen(port)

    def _read(self, line: str) -> None:
        start, arrow, replies = line.partition(" => ")
        if arrow:
            self._rules.append(Rule(start.strip(), [each.strip() for each in replies.split(";")]))
            return
        for word in line.split():
            if word in _OWN:
                self.ways.add(word)
            else:
                self._offers.append(word.replace("=", " ", 1).replace(",", " "))

    def _listen(self, port: int) -> None:
        listener = self._listener = socket.socket(socket.AF_INET6 if ":" in self.address else socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self.address, port))
        listener.listen(20)
        self._thread = threading.Thread(target=self._accept, args=(listener,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._thread.join(LONGEST)

    def _accept(self, listener: socket.socket) -> None:
        talks = []
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                break
            heard: list[str] = []
            self.heard.append(heard)
            talk = threading.Thread(target=self._serve, args=(connection, heard), daemon=True)
            talk.start()
            talks.append(talk)
        for talk in talks:
            talk.join(LONGEST)

    def _serve(self, connection: socket.socket, heard: list[str]) -> None:
        connection.settimeout(LONGEST)
        with contextlib.suppress(Gone, OSError):
            Talk(connection, heard, self).run()
        with contextlib.suppress(OSError):
            connection.close()

    def reply_to(self, line: str) -> str | None:
        """What the script says; None: nothing of its own."""
        for rule in self._rules:
            if line.upper().startswith(rule.start.upper()):
                return rule.replies.pop(0) if len(rule.replies) > 1 else rule.replies[0]
        return None

    def offered(self, *, is_secure: bool) -> list[str]:
        extra = ["STARTTLS"] if "tls" in self.ways and not is_secure else []
        return [*self._offers, *extra]

    @property
    def tls(self) -> ssl.SSLContext | None:
        return self._tls


class StapledSocket:
    """What of a socket is used here, with TLS that shows an OCSP proof."""

    def __init__(self, connection: socket.socket, context: OpenSslContext) -> None:
        """Shakes hands. Raises OSError."""
        self._connection = connection
        self._layer = TlsLayer(context)
        while not self._layer.shake_hands():
            self._connection.sendall(self._layer.outgoing())
            self._layer.receive(self._connection.recv(65536))
        self._connection.sendall(self._layer.outgoing())
        self.setsockopt, self.close = connection.setsockopt, connection.close
        self.getpeercert = self._layer.tls.getpeercert

    def recv(self, _: int) -> bytes:
        while (data := self._layer.read()) is None:
            self._layer.receive(self._connection.recv(65536))
        return data

    def sendall(self, data: bytes) -> None:
        self._layer.write(data)
        self._connection.sendall(self._layer.outgoing())

    def shutdown(self, how: int) -> None:
        self._layer.end()
        self._connection.sendall(self._layer.outgoing())
        self._connection.shutdown(how)


class Talk:
    """One connection."""

    def __init__(self, connection: socket.socket, heard: list[str], peer: ScriptedPeer) -> None:
        self._connection = connection
        self._heard = heard
        self._peer = peer
        self._buffer = b""
        self._is_secure = False
        self._has_sender = False
        self._accepted: list[str] = []

    def run(self) -> None:
        if "socks" in self._peer.ways:
            self._be_proxy()
        if "tls-first" in self._peer.ways:
            self._secure()
        self._say("CONNECT", "220 peer ESMTP")
        while True:
            line = self._line()
            verb = line.partition(" ")[0].upper()
            self._note((">" if self._more() and verb not in ("BDAT",) else "") + line)
            self._answer(verb, line)

    def _be_proxy(self) -> None:
        """A SOCKS 5 proxy that leads to itself. `SOCKS => n`: its answer."""
        methods = self._octets(2)[1]
        self._octets(methods)
        self._connection.sendall(b"\5\0")
        wanted = self._octets(10)
        self._note(f"SOCKS {socket.inet_ntoa(wanted[4:8])}:{int.from_bytes(wanted[8:], 'big')}")
        code = int(self._peer.reply_to("SOCKS") or 0)
        self._connection.sendall(bytes((5, code, 0, 1)) + bytes(6))
        if code:
            raise Gone

    def _octets(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._receive()
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def _answer(self, verb: str, line: str) -> None:
        match verb:
            case "EHLO" | "LHLO":
                lines = ["peer", *self._peer.offered(is_secure=self._is_secure)]
                self._say(
                    line,
                    "\\n".join(f"250{'-' if n < len(lines) else ' '}{x}" for n, x in enumerate(lines, 1)),
                )
            case "STARTTLS":
                if self._say(line, "220 go ahead").startswith("2"):
                    self._secure()
            case "AUTH":
                self._log_in(line)
            case "MAIL":
                self._accepted = []
                self._has_sender = self._say(line, "250 OK").startswith("2")
            case "RCPT":
                if self._say(line, "250 Accepted" if self._has_sender else "503 no sender").startswith("2"):
                    self._accepted.append(line.partition("<")[2].partition(">")[0])
            case "DATA":
                if self._say(line, "354 go" if self._accepted else "503 no recipients").startswith("3"):
                    self._message()
            case "BDAT":
                self._chunk(line)
            case "QUIT":
                self._say(line, "221 bye")
                raise Gone
            case _:
                self._say(line, "250 OK" if verb in ("RSET", "NOOP", "HELO") else "500 what?")

    def _log_in(self, line: str) -> None:
        said = self._say(line, "235 welcome")
        while said.startswith("334"):
            answer = self._line()
            self._note(answer)
            said = self._say("AUTH+", "235 welcome")

    def _message(self) -> None:
        while (line := self._line()) != ".":
            self._note(f"|{line}")
        self._note(".")
        self._end()

    def _chunk(self, line: str) -> None:
        words = line.split()
        size = int(words[1])
        while len(self._buffer) < size:
            self._receive()
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        for text in data.decode("utf-8", "surrogateescape").splitlines():
            self._note(f"|{text}")
        if not self._accepted:
            self._say(line, "503 no recipients")
        elif "LAST" in words:
            self._end()
        else:
            self._say(line, "250 got it")

    def _end(self) -> None:
        if "lmtp" in self._peer.ways:
            for address in self._accepted:
                self._say(f". {address}", "250 stored")
        else:
            self._say(".", "250 OK id=peer")
        self._accepted = []

    # Lines

    def _note(self, line: str) -> None:
        self._heard.append(line)

    def _more(self) -> bool:
        return bool(self._buffer)

    def _line(self) -> str:
        while b"\n" not in self._buffer:
            self._receive()
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line.rstrip(b"\r").decode("utf-8", "surrogateescape")

    def _receive(self) -> None:
        try:
            data = self._connection.recv(65536)
        except ssl.SSLError:
            data = b""
        except ConnectionError:
            data = b""
        except TimeoutError:
            self._note("[silence]")
            raise Gone from None
        if not data:
            self._note("[gone]")
            raise Gone
        self._buffer += data

    def _say(self, line: str, usual: str) -> str:
        """What was said."""
        script = self._peer.reply_to(line)
        said = usual if script is None else script
        if said.startswith("WAIT "):
            said = said.removeprefix("WAIT ")
            select.select([], [], [], 0.3)
        if said == "HANG":
            self._receive()
            self._note("[went on]")
            return said
        ends = said.endswith("CLOSE")
        text = said.removesuffix("CLOSE").strip()
        if said == "RST":
            self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._connection.close()
            raise Gone
        if text:
            with contextlib.suppress(OSError):
                self._connection.sendall(
                    text.replace("\\n", "\r\n").encode("utf-8", "surrogateescape") + b"\r\n"
                )
        if ends:
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)
            raise Gone
        return text

    def _secure(self) -> None:
        script = self._peer.reply_to("TLS")
        if script is not None or self._peer.tls is None:
            self._connection.sendall(f"{script}\r\n".encode())
            self._note("[no tls]")
            self._receive()
            raise Gone
        try:
            if isinstance(self._peer.tls, OpenSslContext):
                self._connection = StapledSocket(self._connection, self._peer.tls)  # type: ignore[assignment]
            else:
                self._connection = self._peer.tls.wrap_socket(self._connection, server_side=True)
        except (ssl.SSLError, OSError):
            self._note("[tls failed]")
            raise Gone from None
        self._buffer = b""
        self._is_secure = True
        name = self._connection.getpeercert()  # type: ignore[attr-defined]
        self._note("[tls]" + (" with a certificate" if name else ""))
