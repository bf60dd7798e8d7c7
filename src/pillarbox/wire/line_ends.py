"""The line ends of a message that a program hands over: all of them become LF (Exim 48.2).

CRLF, LF and CR end lines. But a CR alone inside a header line goes on with the line, for it is a mistake or a trick, and so does an LF alone
where the first line ended in CRLF: a blank is put behind them. A line with a single dot ends the message only between line ends that have an
LF.
"""

from __future__ import annotations

import re

_END = re.compile(rb"\r*\n|\r")
_HEADER = re.compile(rb"[!-9;-~]+[ \t]*:|[ \t]|>?From ")
_GOES_ON = b"\n "
_EMPTY_TAIL = re.compile(rb"(?:\n[ \t]*)+\Z")
_LAST_LINE = re.compile(rb"(?:\A|(?<=\n))\.\r?\n")


def with_unix_ends(data: bytes, *, dot_ends: bool) -> bytes:
    """The message with LF, up to the dot that ends it. `data`: all of it, with a CR somewhere."""
    pieces: list[bytes] = []
    at, has_crlf = 0, False
    while at < len(data):
        line, end, stop = _header_line(data, at, has_crlf)
        if dot_ends and line == b"." and end:
            return b"".join(pieces)
        if not _HEADER.match(line):
            pieces.append(b"\n" * line.startswith(b"\n") + line + b"\n")
            at = stop
            break
        has_crlf = has_crlf or (at == 0 and end.endswith(b"\r\n"))
        pieces += _EMPTY_TAIL.sub(b"", line), b"\n"
        at = stop
    return b"".join(pieces) + _body(data[at:], dot_ends=dot_ends)


def _header_line(data: bytes, at: int, has_crlf: bool) -> tuple[bytes, bytes, int]:
    """The line at `at`, what ends it, and where the next begins. `has_crlf`: an LF alone does not end it."""
    pieces: list[bytes] = []
    for found in _END.finditer(data, at):
        end = found.group()
        pieces.append(data[at : found.start()])
        at = found.end()
        if end == b"\r" or (end == b"\n" and has_crlf):
            pieces.append(_GOES_ON)
        else:
            if len(end) > 2 and not any(pieces):
                pieces.append(_GOES_ON)  # the first CR of several in an empty line
            return b"".join(pieces), end, at
    return b"".join(pieces) + data[at:], b"", len(data)


def _body(data: bytes, *, dot_ends: bool) -> bytes:
    last = _LAST_LINE.search(data) if dot_ends else None
    if last is not None:
        data = data[: last.start()]
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
