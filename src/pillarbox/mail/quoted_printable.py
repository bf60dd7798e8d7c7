"""Text in quoted-printable (RFC 2045 §6.7), broken into lines where Exim breaks them."""

from __future__ import annotations

_FULL = 73
"""Columns after which a line is broken before anything more, so that none is longer than 76."""
_PLAIN = [
    chr(code) if (32 <= code <= 126 and code != 61) or code == 9 else f"={code:02X}" for code in range(256)
]
_BLANK = b" \t"
_NEWLINE = 10


def quoted_printable(data: bytes) -> str:
    """`data` with LF line ends."""
    pieces: list[str] = []
    column = 0
    for at, byte in enumerate(data):
        if column >= _FULL:
            pieces.append("=\n")
            column = 0
        if byte == _NEWLINE:
            pieces.append("\n")
            column = 0
            continue
        is_last = data[at + 1 : at + 2] in (b"\n", b"")
        piece = f"={byte:02X}" if byte in _BLANK and is_last else _PLAIN[byte]
        pieces.append(piece)
        column += len(piece)
    return "".join(pieces)
