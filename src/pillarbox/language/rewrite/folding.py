"""Where a header line is divided when rewriting has made it longer.

As Exim does it, and readers of its mail know it: behind the comma after an address that grew, when more than 40 octets stand on the line
by then and something follows on it. Line ends that were there before do not count.
"""

from __future__ import annotations

import re

_ENOUGH = 40
_COMMA = re.compile(r";?[ \t]*,[ \t]*(?=[^\n])")


def octets(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogateescape"))


class FoldedLine:
    """A field's value put together again, piece by piece."""

    __slots__ = ("_pieces", "_width")

    def __init__(self, width: int) -> None:
        """`width`: octets in front of the value."""
        self._pieces: list[str] = []
        self._width = width

    def add(self, text: str) -> None:
        self._pieces.append(text)
        self._width += octets(text)

    def add_fold(self, text: str, at: int) -> int:
        """Behind an address that grew, at the end of its item in `text`: how far the text has been taken over."""
        comma = _COMMA.match(text, at)
        if comma is None or self._width + octets(comma.group()) <= _ENOUGH:
            return at
        self._pieces.append(f"{comma.group()}\n\t")
        self._width = 1
        return comma.end()

    def unfold(self) -> None:
        """The next address goes as a whole, and the line end in front of it too."""
        if self._pieces and self._pieces[-1].endswith("\n\t"):
            self._pieces[-1] = self._pieces[-1][:-2]

    def __str__(self) -> str:
        return "".join(self._pieces)
