"""Replies on the wire (RFC 5321 §4.2): rendering them, and parsing a peer's with bounds on everything.

A rendered reply can hold no CR and no LF but its own line ends, whatever text it was made from. Parsing takes what RFC 5321 allows and a
bare LF as line end, keeps one code for all lines, and takes enhanced status codes (RFC 2034) out of the text. Control characters of
the peer become `?`, so that a reply can be logged as it is.
"""

from __future__ import annotations

import re

from pillarbox.mail.reply import Reply

MAX_REPLY_LINE = 4096
MAX_REPLY_LINES = 256
MAX_REPLY_SIZE = 65536
_MAX_TEXT = 900

_UNFIT = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)
_ENHANCED = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?: |$)")


class BadReply(Exception):
    """The peer's words are no SMTP reply, or too many of them; the connection is of no more use."""


def render_reply(reply: Reply) -> bytes:
    """`250 2.1.5 Accepted\\r\\n`; one line per line of the text."""
    text = reply.text
    if text.isascii() and text.isprintable() and len(text) <= _MAX_TEXT:
        if reply.enhanced:
            return f"{reply.code} {reply.enhanced} {text}\r\n".encode("ascii")
        return f"{reply.code} {text}\r\n".encode("ascii")
    return _render_lines(reply)


def render_bare_reply(reply: Reply) -> bytes:
    """For clients that are not offered ENHANCEDSTATUSCODES: without a code that nobody has written (Exim has no others)."""
    return render_reply(reply if reply.is_own else Reply(reply.code, reply.text))


def _render_lines(reply: Reply) -> bytes:
    prefix = f"{reply.enhanced} " if reply.enhanced else ""
    lines = [_UNFIT.sub("?", line.rstrip("\r")[:_MAX_TEXT]) for line in reply.text.split("\n")]
    marks = ["-"] * (len(lines) - 1) + [" "]
    rendered = "".join(
        f"{reply.code}{mark}{prefix}{line}\r\n" for mark, line in zip(marks, lines, strict=True)
    )
    return rendered.encode("utf-8", "replace")


class ReplyParser:
    """Collects bytes and gives whole replies. Memory: at most MAX_REPLY_SIZE and one read."""

    __slots__ = ("_at", "_buffer", "_code", "_lines", "_size")

    def __init__(self) -> None:
        self._buffer = b""
        self._at = 0
        self._code = 0
        self._lines: list[str] = []
        self._size = 0

    @property
    def is_empty(self) -> bool:
        """Nothing is held: neither bytes nor the first lines of a reply."""
        return self._at == len(self._buffer) and not self._lines

    def receive(self, data: bytes) -> None:
        self._buffer = self._buffer[self._at :] + data
        self._at = 0

    def next_reply(self) -> Reply | None:
        """The next whole reply, or None when more bytes are needed. Raises BadReply."""
        while True:
            end = self._buffer.find(b"\n", self._at)
            if (end if end >= 0 else len(self._buffer)) - self._at > MAX_REPLY_LINE:
                raise BadReply("reply line is too long")
            if end < 0:
                return None
            line = self._buffer[self._at : end]
            self._at = end + 1
            if self._take_line(line[:-1] if line.endswith(b"\r") else line):
                return self._finish()

    def _take_line(self, line: bytes) -> bool:
        """Whether this was the last line of its reply."""
        match = _LINE.fullmatch(line)
        if match is None:
            raise BadReply(make_printable(line[:100]))
        code, mark, text = int(match.group(1)), match.group(2), match.group(3) or b""
        if self._lines and code != self._code:
            raise BadReply(f"reply changes its code from {self._code} to {code}")
        self._code = code
        self._lines.append(make_printable(text))
        self._size += len(line)
        if len(self._lines) > MAX_REPLY_LINES or self._size > MAX_REPLY_SIZE:
            raise BadReply("reply is too long")
        return mark != b"-"

    def _finish(self) -> Reply:
        code, lines = self._code, self._lines
        self._lines, self._size = [], 0
        match = _ENHANCED.match(lines[0])
        if match is None or int(match.group(1)[0]) != code // 100:
            return Reply(code, "\n".join(lines))
        enhanced = match.group(1)
        prefix = enhanced + " "
        rest = [line.removeprefix(prefix) if line != enhanced else "" for line in lines]
        return Reply(code, "\n".join(rest), enhanced)


def make_printable(text: str | bytes) -> str:
    """Peer text fit for a log: UTF-8, control characters replaced by `?`."""
    return _UNFIT.sub("?", text if isinstance(text, str) else text.decode("utf-8", "replace"))
