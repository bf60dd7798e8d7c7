"""The server's end of POP3 without I/O: bytes in, events out; replies in, bytes out.

It owns line limits, the order of commands, what CAPA offers, and framing. Any chopping of the input gives the same events. Lines end with
LF, a CR before it is dropped: nothing hangs on bare LFs here, and people type POP3 by hand. At the edge of TLS (`upgrade`) whatever was
sent ahead is dropped (CVE-2011-0411's class).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from pillarbox.wire.pop3.verbs import Event, Rejected, SaslResponse, State, parse

_ENOUGH = 64 * 1024


class Limits(msgspec.Struct, frozen=True):
    """Octets of a line without its end."""

    command: int = 512
    """RFC 2449 §4 asks for 255; long names and passwords in UTF-8 need more."""
    sasl: int = 12288
    """RFC 5034 §4."""


class Offer(msgspec.Struct, frozen=True):
    """What CAPA depends on."""

    can_use_passwords: bool
    can_start_tls: bool
    mechanisms: tuple[str, ...] = ()


class ServerEngine:
    """One connection."""

    __slots__ = ("_awaits_sasl", "_buffer", "_is_discarding", "_limits", "_outgoing", "_scanned", "state")

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._buffer = bytearray()
        self._scanned = 0
        self._outgoing: list[bytes] = []
        self._is_discarding = False
        self._awaits_sasl = False
        self.state = State.AUTHORIZATION

    def receive(self, data: bytes) -> None:
        self._buffer += data

    def next_event(self) -> Event | None:
        """None: more bytes are needed."""
        while (line := self._line()) is not None:
            if self._is_discarding:  # the end of a line that was refused already
                self._is_discarding = False
                continue
            if len(line) > self._limit():
                return self._refuse_long_line()
            return self._event(line)
        if len(self._buffer) > self._limit() + 1:
            is_new = not self._is_discarding
            self._is_discarding = True
            self._buffer.clear()
            self._scanned = 0
            return self._refuse_long_line() if is_new else None
        return None

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\n", self._scanned)
        if end < 0:
            self._scanned = len(self._buffer)
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._scanned = 0
        return line.removesuffix(b"\r")

    def _limit(self) -> int:
        return self._limits.sasl if self._awaits_sasl else self._limits.command

    def _refuse_long_line(self) -> Rejected:
        self._awaits_sasl = False
        return Rejected("The line is too long")

    def _event(self, line: bytes) -> Event:
        if self._awaits_sasl:
            self._awaits_sasl = False
            return SaslResponse(line, is_cancelled=line == b"*")
        return parse(line, self.state)

    def upgrade(self) -> None:
        """TLS begins: forget what came in the clear."""
        self._buffer.clear()
        self._scanned = 0
        self._is_discarding = self._awaits_sasl = False

    def ok(self, text: str = "") -> None:
        self._send("+OK", text)

    def err(self, text: str, code: str = "") -> None:
        """`code`: an extended response code (RFC 2449 §8) such as `IN-USE`."""
        self._send("-ERR", f"[{code}] {text}" if code else text)

    def challenge(self, data: bytes) -> None:
        """`data` in base64; the next line is then the client's response, whatever it looks like."""
        self._outgoing.append(b"+ " + data + b"\r\n")
        self._awaits_sasl = True

    def _send(self, status: str, text: str) -> None:
        safe = " ".join(text.split())
        self._outgoing.append(f"{status} {safe}".rstrip().encode("utf-8", "replace")[:510] + b"\r\n")

    def lines(self, text: str, lines: Iterable[str]) -> None:
        """A multi-line answer of short lines that do not begin with a dot."""
        self.ok(text)
        self._outgoing.append("".join(f"{line}\r\n" for line in lines).encode("ascii") + b".\r\n")

    def piece(self, data: bytes) -> None:
        """A piece of `message.pieces`, after `ok`."""
        self._outgoing.append(data)

    def is_full(self) -> bool:
        """So much is waiting to go out that it should go before more is made."""
        return sum(map(len, self._outgoing)) > _ENOUGH

    def outgoing(self) -> bytes:
        """What to write now; forgotten here."""
        data = b"".join(self._outgoing)
        self._outgoing.clear()
        return data


def capabilities(offer: Offer) -> Sequence[str]:
    """RFC 2449 §6, RFC 3206. UTF8 (RFC 6856) is not offered: it would ask us to rewrite messages for clients without it."""
    lines = ["TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "EXPIRE NEVER"]
    if offer.can_use_passwords:
        lines.append("USER")
    if offer.mechanisms:
        lines.append(f"SASL {' '.join(offer.mechanisms)}")
    if offer.can_start_tls:
        lines.append("STLS")
    return [*lines, "IMPLEMENTATION Pillarbox"]
