"""The server side of an IMAP connection without I/O: bytes in, commands out (RFC 9051 §2.2, §4.3; RFC 7888).

    engine.receive(data)
    while (event := engine.next_event()) is not NEED_DATA: ...
    connection.write(engine.outgoing())

The engine owns line and literal framing, their bounds, and the continuation requests that synchronising literals wait for. It does
not know which commands exist. Rules kept:

- any chopping of the input gives the same events;
- a literal is refused when it is announced, before a byte of it is read. The sender of `{n}` then sends none of it; what follows `{n+}`
  is thrown away up to a bound, above which the connection ends (RFC 7888 §4);
- nothing is parsed ahead of need: a continuation request goes out only when all earlier commands have been answered;
- bare LF ends a line too, since people type commands by hand and nothing is relayed from here.
"""

from __future__ import annotations

import re
from io import BytesIO

from pillarbox.wire.imap.cursor import Cursor
from pillarbox.wire.imap.events import NEED_DATA, Command, Event, Fatal, Line, Refused
from pillarbox.wire.imap.limits import Limits

_ANNOUNCED = re.compile(rb"\{([0-9]{1,20})(\+?)\}\Z")
_COMMAND = re.compile(rb"([!#$&',-Z\[\]^-z|}~]+) (?:(UID) )?([A-Za-z0-9]+)(?= |\Z)", re.IGNORECASE)
_TAG = re.compile(rb"([!#$&',-Z\[\]^-z|}~]+)(?= |\Z)")
_CONTINUE = b"+ Ready for literal\r\n"
_TAG_SIZE = 128
_TAIL = 32


class ServerEngine:
    """One connection's parser. `is_authenticated`, `accepts_utf8` and `names_are_utf8` are set by the driver as the session proceeds."""

    __slots__ = (
        "_buffer",
        "_discarded",
        "_ended",
        "_fragments",
        "_line_wanted",
        "_literal",
        "_literal_left",
        "_outgoing",
        "_refusal",
        "_room",
        "_searched",
        "accepts_utf8",
        "is_authenticated",
        "limits",
        "names_are_utf8",
    )

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.is_authenticated = False
        self.accepts_utf8 = False
        self.names_are_utf8 = False
        self._buffer = bytearray()
        self._outgoing = bytearray()
        self._ended = False
        self._line_wanted = False
        self._start_command()

    def _start_command(self) -> None:
        self._fragments: list[bytes] = []
        self._searched = 0
        self._literal: BytesIO | None = None
        self._literal_left = 0
        self._refusal: Refused | None = None
        self._discarded = 0
        self._room = -1

    def receive(self, data: bytes) -> None:
        """Bytes from the peer. A literal's bytes go straight where they belong."""
        if self._literal_left and not self._buffer and not self._ended:
            data = self._feed_literal(data)
        if data and not self._ended:
            self._buffer += data

    def outgoing(self) -> bytes:
        """Continuation requests to be sent before the next read."""
        data = bytes(self._outgoing)
        self._outgoing.clear()
        return data

    def expect_line(self) -> None:
        """The next thing from the peer is a bare line: SASL response or DONE."""
        self._line_wanted = True

    def upgrade(self) -> None:
        """TLS begins: whatever was sent in clear behind STARTTLS is forgotten (CVE-2021-38371)."""
        self._buffer.clear()
        self._line_wanted = False
        self._start_command()

    @property
    def has_input(self) -> bool:
        """Whether bytes wait that `next_event` has not looked at: pipelined commands."""
        return bool(self._buffer)

    def next_event(self) -> Event:
        while not self._ended:
            if self._literal_left:
                if not self._buffer:
                    return NEED_DATA
                rest = self._feed_literal(bytes(self._buffer))
                self._buffer[:] = rest
                continue
            line = self._take_line()
            if line is None:
                if len(self._buffer) <= self._room_for_line():
                    return NEED_DATA
                if (event := self._overlong()) is not None:
                    return event
                continue
            if (event := self._handle_line(line)) is not None:
                return event
        return NEED_DATA

    def _line_limit(self) -> int:
        limit = self.limits.line if self.is_authenticated else self.limits.line_before_login
        return limit - sum(len(text) for text in self._fragments[::2])

    def _room_for_line(self) -> int:
        """How much of an unfinished line is kept. The one byte more may be a CR."""
        return _TAIL if self._refusal is not None else self._line_limit() + 1

    def _take_line(self) -> bytes | None:
        end = self._buffer.find(b"\n", self._searched)
        if end < 0:
            self._searched = len(self._buffer)
            return None
        stop = end - 1 if end and self._buffer[end - 1] == 13 else end
        line = bytes(memoryview(self._buffer)[:stop])
        del self._buffer[: end + 1]
        self._searched = 0
        return line

    def _overlong(self) -> Event | None:
        """The buffer holds more than a line may have and no end of it: keep who spoke, and the tail, where a literal may be announced."""
        if self._line_wanted:
            return self._end("Line too long")
        if self._refusal is None:
            self._refuse_length(bytes(self._buffer[: _TAG_SIZE + 1]))
        dropped = len(self._buffer) - _TAIL
        del self._buffer[:dropped]
        self._searched = _TAIL
        return self._discard(dropped)

    def _handle_line(self, line: bytes) -> Event | None:
        if self._line_wanted:
            if len(line) > self._line_limit():
                return self._end("Line too long")
            self._line_wanted = False
            return Line(line)
        if self._refusal is None:
            if len(line) > self._line_limit():
                self._refuse_length(line)
            else:
                self._fragments.append(line)
        if self._refusal is not None and (fatal := self._discard(len(line))) is not None:
            return fatal
        announced = _ANNOUNCED.search(line) if line.endswith(b"}") else None
        if announced is None:
            return self._finish()
        return self._announce(int(announced[1]), is_synchronising=not announced[2])

    def _refuse_length(self, line: bytes) -> None:
        """The tag is looked for in what any chopping of the line would have shown by now."""
        head = self._fragments[0] if self._fragments else line[: min(_TAG_SIZE + 1, self._line_limit())]
        tag = _tag_of(head) if b" " in head else "*"
        self._refuse(Refused(tag, "BAD", "[TOOBIG] Command line too long"))

    def _announce(self, size: int, *, is_synchronising: bool) -> Event | None:
        if self._refusal is None:
            self._judge(size)
        if self._refusal is not None:
            if is_synchronising:
                return self._finish()
            self._literal_left = size
            return self._discard(size)
        self._literal = BytesIO()
        self._literal_left = size
        if is_synchronising:
            self._outgoing += _CONTINUE
        if not size:
            self._end_literal()
        return None

    def _judge(self, size: int) -> None:
        """Refuse the announced literal if there is no room for it."""
        command = _COMMAND.match(self._fragments[0])
        tag = _tag_of(self._fragments[0])
        if command is None:
            self._refuse(Refused(tag, "BAD", "Not a command"))
            return
        is_append = command[3].upper() == b"APPEND" and self.is_authenticated
        if self._room < 0:
            self._room = self._room_for_literals(is_append=is_append)
        if is_append and size > self.limits.message:
            self._refuse(Refused(tag, "NO", f"[TOOBIG] Messages may have {self.limits.message} bytes"))
        elif size > self._room:
            self._refuse(Refused(tag, "NO" if is_append else "BAD", "[TOOBIG] Literal too large"))
        elif len(self._fragments) > self.limits.arguments:
            self._refuse(Refused(tag, "BAD", "Too many literals"))
        else:
            self._room -= size

    def _room_for_literals(self, *, is_append: bool) -> int:
        if is_append:
            return self.limits.append
        return self.limits.literals if self.is_authenticated else self.limits.literals_before_login

    def _refuse(self, refusal: Refused) -> None:
        self._refusal = refusal
        self._fragments.clear()

    def _discard(self, size: int) -> Event | None:
        self._discarded += size
        if self._discarded > self.limits.discarded:
            return self._end("Too much data behind a refused command")
        return None

    def _end(self, text: str) -> Fatal:
        self._ended = True
        self._buffer.clear()
        self._start_command()
        return Fatal(text)

    def _feed_literal(self, data: bytes) -> bytes:
        """Give the open literal its bytes; what belongs behind it is returned."""
        size = min(len(data), self._literal_left)
        self._literal_left -= size
        if self._literal is not None:
            self._literal.write(data if size == len(data) else data[:size])
            if not self._literal_left:
                self._end_literal()
        return data[size:]

    def _end_literal(self) -> None:
        assert self._literal is not None
        # BytesIO hands over its own buffer here: the message is not copied.
        self._fragments.append(self._literal.getvalue())
        self._literal = None

    def _finish(self) -> Event | None:
        """A command's last line has come."""
        refusal, fragments = self._refusal, self._fragments
        self._start_command()
        return refusal if refusal is not None else self._command(fragments)

    def _command(self, fragments: list[bytes]) -> Event | None:
        found = _COMMAND.match(fragments[0])
        if found is None or len(found[1]) > _TAG_SIZE:
            if not fragments[0]:
                return None  # an empty line between commands: some clients send one behind a literal
            return Refused(_tag_of(fragments[0]), "BAD", "Not a command")
        cursor = Cursor(fragments, self.limits, at=found.end())
        cursor.accepts_utf8 = self.accepts_utf8
        cursor.names_are_utf8 = self.names_are_utf8
        return Command(
            found[1].decode("ascii"), found[3].decode("ascii").upper(), found[2] is not None, cursor
        )


def _tag_of(line: bytes) -> str:
    found = _TAG.match(line)
    return found[1].decode("ascii") if found is not None and len(found[1]) <= _TAG_SIZE else "*"
