"""Mail servers in memory that refuse, put off, reject or hang up as their moods are: for tests that let time pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Literal

from pillarbox.ports.network import DialError, TlsWish

Mood = Literal[
    "well", "refuses", "silent", "busy", "greylists", "rejects", "no room", "hangs up", "breaks off"
]
MOODS: tuple[Mood, ...] = (
    "well", "refuses", "silent", "busy", "greylists", "rejects", "no room", "hangs up", "breaks off",
)  # fmt: skip
"""Refuses connections; never answers; 421 instead of a banner; 450 to every other RCPT; 550 to them; 452 to the message;
closes after RCPT; takes the message and closes before it says so."""


class MoodyPeer:
    """ports.network.Connection: a server with CHUNKING left out and PIPELINING in."""

    def __init__(self, mood: Mood, take: Callable[[str, str, bool], None]) -> None:
        self.tls_cipher = ""
        self.is_verified = False
        self.peer_name = ""
        self.local_address = "192.0.2.99", 40000
        self._mood = mood
        self._take = take
        self._in = b""
        self._out = b"421 busy\r\n" if mood == "busy" else b"220 mx ESMTP\r\n"
        self._is_closed = False
        self._recipients: list[str] = []
        self._asked = 0
        self._is_data = False

    def peer_chain(self) -> list[bytes]:
        return []

    def tls_session(self) -> None:
        return None

    async def read(self, timeout: float) -> bytes:
        out, self._out = self._out, b""
        if not out and not self._is_closed:
            raise DialError("timeout", f"no data for {timeout:.0f} s")
        return out

    def unread(self, data: bytes) -> None:
        self._out = data + self._out

    async def write(self, data: bytes, timeout: float) -> None:
        if self._is_closed:
            raise DialError("lost_connection", "connection lost")
        self._in += data
        while not self._is_closed and self._step():
            pass

    async def start_tls(self, wish: TlsWish, timeout: float) -> None:
        raise DialError("tls", "no TLS here")

    def close(self) -> None:
        self._is_closed = True

    def _step(self) -> bool:
        if self._is_data:
            text, dot, rest = self._in.partition(b"\r\n.\r\n")
            if dot:
                self._in, self._is_data = rest, False
                self._end(text)
            return bool(dot)
        line, end, rest = self._in.partition(b"\r\n")
        if end:
            self._in = rest
            self._answer(line.decode())
        return bool(end)

    def _answer(self, line: str) -> None:
        match line[:4].upper():
            case "EHLO":
                self._say("250-mx", "250 PIPELINING")
            case "MAIL":
                self._recipients = []
                self._say("250 OK")
            case "RCPT":
                self._rcpt(line.partition("<")[2].partition(">")[0])
            case "DATA" if self._recipients:
                self._is_data = True
                self._say("354 go on")
            case "DATA":
                self._say("554 no valid recipients")
            case "QUIT":
                self._say("221 bye")
                self._is_closed = True
            case _:
                self._say("250 OK")

    def _rcpt(self, address: str) -> None:
        self._asked += 1
        if self._mood == "hangs up":
            self._is_closed = True
        elif self._mood == "rejects":
            self._say("550 nobody of that name")
        elif self._mood == "greylists" and self._asked % 2:
            self._say("450 later")
        else:
            self._recipients.append(address)
            self._say("250 OK")

    def _end(self, text: bytes) -> None:
        if self._mood == "no room":
            self._say("452 no room")
            return
        is_told = self._mood != "breaks off"
        marker = text.partition(b"Message-ID: <")[2].partition(b"@")[0].decode()
        for address in self._recipients:
            self._take(marker, address, is_told)
        if is_told:
            self._say("250 taken")
        else:
            self._is_closed = True

    def _say(self, *lines: str) -> None:
        self._out += "".join(f"{line}\r\n" for line in lines).encode()


class MoodyNetwork:
    """ports.network.Network. `mood`: of the server at an address, now."""

    def __init__(self, mood: Callable[[str], Mood]) -> None:
        self._mood = mood
        self.taken: Counter[tuple[str, str]] = Counter()
        """Messages by marker and recipient that a server said it has."""
        self.doubtful: Counter[tuple[str, str]] = Counter()
        """That a server has, and did not say so."""
        self.connections = 0

    async def connect(self, address: str, port: int, **wishes: object) -> MoodyPeer:
        self.connections += 1
        mood = self._mood(address)
        if mood == "refuses":
            raise DialError("refused", "Connection refused")
        if mood == "silent":
            raise DialError("timeout", "Connection timed out")
        return MoodyPeer(mood, self._take)

    async def connect_unix(self, path: str, *, timeout: float) -> MoodyPeer:
        raise DialError("refused", "Connection refused")

    def local_addresses(self) -> frozenset[str]:
        return frozenset({"127.0.0.1"})

    def _take(self, marker: str, address: str, is_told: bool) -> None:
        (self.taken if is_told else self.doubtful)[marker, address] += 1
