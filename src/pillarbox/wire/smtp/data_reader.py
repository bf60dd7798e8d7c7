"""Reading a message off the wire: DATA's dot stuffing and BDAT's counted octets → LF form, with every limit watched.

Only CRLF.CRLF ends DATA. A bare CR or LF anywhere, also across BDAT chunks, condemns the message: the rest is swallowed up to its
real end, so that what follows can never be taken for commands (SMTP smuggling, CVE-2023-51766). Nothing here loops over lines or bytes: a
piece costs two `replace`, a few searches, and one `rfind` per 998 octets for the line limit.

Memory: the pieces not yet handed out (`CHUNK_SIZE` and one read) and an unfinished line of at most `_MAX_PARTIAL` octets in the engine's buffer.

Known gap: a message sent by BDAT whose last line has no line end gets one, as the spool form asks for.
"""

from __future__ import annotations

import re

from pillarbox.mail.reply import Reply
from pillarbox.wire.smtp.events import Problem
from pillarbox.wire.smtp.order import TOO_BIG

CHUNK_SIZE = 65536
_MAX_PARTIAL = 4096
_NO_LIMIT = 1 << 62
_SHOWN = 16 * 1024
"""Octets kept of a message that is too big, for the log."""

_END_OF_HEADERS = re.compile(rb"^(?![!-9;-~]*[ \t]*:|[ \t])", re.MULTILINE)

DATA_REFUSALS: dict[Problem, Reply] = {
    Problem.TOO_BIG: TOO_BIG,
    Problem.HEADERS_TOO_BIG: Reply(552, "Message header is ridiculously long", "5.3.4"),
    Problem.BARE_CR_OR_LF: Reply(550, "bare CR or LF is not allowed in a message", "5.6.11"),
    Problem.LINE_TOO_LONG: Reply(550, "maximum allowed line length exceeded", "5.6.0"),
    Problem.NUL: Reply(550, "NUL characters are not allowed in a message", "5.6.0"),
}


_GRAVITY = (
    Problem.BARE_CR_OR_LF,
    Problem.TOO_BIG,
    Problem.NUL,
    Problem.HEADERS_TOO_BIG,
    Problem.LINE_TOO_LONG,
)
"""Which one is told when a message has several, in the order of the checks."""


class DataReader:
    """One message. A limit of 0 means none."""

    __slots__ = (
        "_carried_cr",
        "_headers_max",
        "_in_headers",
        "_line",
        "_line_max",
        "_parts",
        "_refuse_nul",
        "_size_max",
        "beginning",
        "held",
        "lines",
        "problem",
        "size",
    )

    def __init__(self, *, size_max: int, headers_max: int, line_max: int, refuse_nul: bool) -> None:
        self._size_max = size_max or _NO_LIMIT
        self._headers_max = headers_max or _NO_LIMIT
        self._line_max = line_max
        self._refuse_nul = refuse_nul
        self._parts: list[bytes] = []
        self._line = 0  # length of the unfinished line the next piece goes on with
        self._in_headers = True
        self._carried_cr = False
        self.held = 0
        """Octets ready for `take`."""
        self.size = self.lines = 0
        self.problem: Problem | None = None
        self.beginning = b""
        """Of what was condemned for its size."""

    @property
    def part(self) -> str:
        """Where the message has come to: `header` without a whole line, `after header` behind one, empty in the body."""
        if not self._in_headers:
            return ""
        return "after header" if self.size > self._line else "header"

    def scan(self, buffer: bytes, at: int) -> tuple[int, bool]:
        """Take what DATA has brought: (offset behind what was taken, whether that was the end)."""
        if self._line == 0 and buffer.startswith(b".\r\n", at):
            return at + 3, True
        end = buffer.find(b"\r\n.\r\n", at)
        if end >= 0:
            self._add(buffer[at : end + 2], dotted=True)
            return end + 5, True
        cut = buffer.rfind(b"\r\n", at) + 2
        if cut < 2:
            if len(buffer) - at <= _MAX_PARTIAL:
                return at, False
            cut = len(buffer) - 4  # what stays behind may be the beginning of CRLF.CRLF
        self._add(buffer[at:cut], dotted=True)
        return cut, False

    def add_counted(self, piece: bytes) -> None:
        """Take octets of a BDAT chunk; a CR at their end waits for its LF."""
        if self._carried_cr:
            piece = b"\r" + piece
        self._carried_cr = piece.endswith(b"\r")
        if self._carried_cr:
            piece = piece[:-1]
        if piece:
            self._add(piece, dotted=False)

    def end_counted(self) -> None:
        """The last BDAT chunk is complete."""
        if self._carried_cr:
            self._condemn(Problem.BARE_CR_OR_LF)
        elif self._line:
            self._add(b"\r\n", dotted=False)

    def take(self) -> bytes:
        """What has not been handed out yet, in LF form."""
        parts = self._parts
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        self._parts = []
        self.held = 0
        return data

    def _add(self, piece: bytes, *, dotted: bool) -> None:
        """Every check goes on when the message is condemned, so that what is said of it depends on no packet's edge."""
        text = piece.replace(b"\r", b"")  # and back: single bytes are found much faster than pairs
        is_bare = text.replace(b"\n", b"\r\n") != piece
        if is_bare:
            text = piece.replace(b"\r\n", b"\n")
        newlines = len(piece) - len(text)
        if dotted:
            is_dot_first = self._line == 0 and text.startswith(b".")
            if is_bare:  # a dot behind a bare LF is no stuffing
                text = piece.replace(b"\r\n.", b"\r\n").replace(b"\r\n", b"\n")
            elif text.find(b"\n.") >= 0:
                text = text.replace(b"\n.", b"\n")
            if is_dot_first:
                text = text[1:]
        self.size += len(text) + newlines
        self.lines += newlines
        problem = Problem.BARE_CR_OR_LF if is_bare else self._exceeded(text)
        self._line = 0 if piece.endswith(b"\r\n") else max(1, self._unfinished(text))
        if problem is not None:
            if problem is Problem.TOO_BIG and self.problem is None:
                self.beginning = b"".join([*self._parts, text])[: min(self._size_max, _SHOWN)]
            self._condemn(problem)
        elif self.problem is None:
            self._parts.append(text)
            self.held += len(text)

    def _exceeded(self, text: bytes) -> Problem | None:
        if self.size > self._size_max:
            return Problem.TOO_BIG
        if self._refuse_nul and text.find(b"\0") >= 0:
            return Problem.NUL
        if self._in_headers and self._are_headers_too_big(text):
            return Problem.HEADERS_TOO_BIG
        if self._line_max and self._has_long_line(text):
            return Problem.LINE_TOO_LONG
        return None

    def _has_long_line(self, text: bytes) -> bool:
        """Hop from line end to line end in strides of the limit."""
        limit = self._line_max
        start = -self._line
        last = len(text) - limit
        while start < last:
            newline = text.rfind(b"\n", max(start, 0), start + limit + 1)
            if newline < 0:
                return True
            start = newline + 1
        return False

    def _are_headers_too_big(self, text: bytes) -> bool:
        """Looks for the blank line first, which is cheap, and only then for a line that is no field."""
        end = text.find(b"\n\n")
        if end < 0:
            match = _END_OF_HEADERS.search(text, 1 if self._line else 0)
            if match is None or match.start() == len(text):
                return self.size > self._headers_max
            end = match.start()
        self._in_headers = False
        return self.size - len(text) + end > self._headers_max

    def _unfinished(self, text: bytes) -> int:
        newline = text.rfind(b"\n")
        return self._line + len(text) if newline < 0 else len(text) - newline - 1

    def _condemn(self, problem: Problem) -> None:
        if self.problem is None or _GRAVITY.index(problem) < _GRAVITY.index(self.problem):
            self.problem = problem
        self._parts = []
        self.held = 0
