"""What RETR and TOP send: pieces of a message, dots stuffed (RFC 1939 §3), and the dot that ends it.

A message whose last line has no line end gets one: the protocol cannot say otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator

PIECE = 64 * 1024


def pieces(content: bytes, size: int = PIECE) -> Iterator[bytes]:
    """`content` has CRLF line ends. Cuts before a line end or a dot do no harm: each piece but the last ends behind a newline,
    or lies within one long line."""
    start = 0
    while start < len(content):
        end = start + size
        if end < len(content):
            newline = content.rfind(b"\n", start, end)
            end = newline + 1 if newline >= 0 else _within_line(content, end)
        yield _stuff(content[start:end], is_line_start=start == 0 or content[start - 2 : start] == b"\r\n")
        start = end
    yield b".\r\n" if not content or content.endswith(b"\r\n") else b"\r\n.\r\n"


def _within_line(content: bytes, end: int) -> int:
    """Not between CR and LF, so that a piece beginning with a dot tells by the two bytes before it whether a line begins."""
    return end + 1 if content[end - 1 : end + 1] == b"\r\n" else end


def _stuff(piece: bytes, *, is_line_start: bool) -> bytes:
    stuffed = piece.replace(b"\r\n.", b"\r\n..")
    return b"." + stuffed if is_line_start and piece.startswith(b".") else stuffed


def top(content: bytes, lines: int) -> bytes:
    """The header, the empty line, and that many lines of the body."""
    end = 2 if content.startswith(b"\r\n") else content.find(b"\r\n\r\n") + 4
    if end == 3:  # no empty line: all is header
        return content
    kept = content[end:].split(b"\r\n", lines)
    if len(kept) <= lines:
        return content
    return content[:end] + b"".join(line + b"\r\n" for line in kept[:lines])
