r"""The lines of a search file: keys, colons, data that goes on over lines (Exim 9.3.9).

A key ends at a colon, at white space or with the line; one in double quotes at the closing quote, with the escapes of chapter 6.17.
Lines that begin with white space go on with the data, one space between. A comment or a blank line ends an item: so does Exim 4.100,
although its specification says that they may stand in the middle of one. White space at the end of a line does not count, but for a
last line without a newline.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

SPACE = " \t\n\v\f\r"
_QUOTED_KEY = re.compile(r'"((?:[^"\\]|\\.)*)(?:"|\\?$)', re.DOTALL)
_PLAIN_KEY = re.compile(r"[^ \t\n\v\f\r:]*")
_AFTER_KEY = re.compile(r"[ \t\n\v\f\r]*:?[ \t\n\v\f\r]*")
_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{1,2}|[0-7]{1,3}|.)", re.DOTALL)
_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


class _Item:
    """An entry as it grows."""

    __slots__ = ("continued", "key", "rest")

    def __init__(self, line: str) -> None:
        self.key, end = _key_of(line)
        self.rest = line[end:]
        self.continued: list[str] = []


def lines_of(text: str) -> Iterator[tuple[str, str, str]]:
    """`(key, first, more)` in order: `first` follows the key on its line, `more` is the continuation, a space before each of its lines."""
    item: _Item | None = None
    *whole, last = text.split("\n")
    lines = [raw.rstrip(SPACE) for raw in whole]
    lines.append(last)  # without a newline, trailing space counts
    for line in lines:
        if line and line[0] in SPACE:
            if item is not None:
                item.continued.append(line.lstrip(SPACE))
            continue
        if item is not None:
            yield item.key, item.rest, _joined(item.continued)
        item = _Item(line) if line and line[0] != "#" else None
    if item is not None:
        yield item.key, item.rest, _joined(item.continued)


def data_of(first: str, more: str) -> str:
    """The data without what separates it from the key."""
    found = _AFTER_KEY.match(first)
    assert found
    return first[found.end() :] + more


def fold(key: str) -> str:
    """Keys are compared without regard to the case of ASCII letters only."""
    if key.isascii():
        return key.lower()
    return key.encode("utf-8", "surrogateescape").lower().decode("utf-8", "surrogateescape")


def _joined(continued: list[str]) -> str:
    return "".join([f" {piece}" for piece in continued])


def _key_of(line: str) -> tuple[str, int]:
    if line[0] == '"':
        quoted = _QUOTED_KEY.match(line)
        assert quoted
        text = quoted.group(1)
        return (_ESCAPE.sub(_unescaped, text) if "\\" in text else text), quoted.end()
    plain = _PLAIN_KEY.match(line)
    assert plain
    return plain.group(), plain.end()


def _unescaped(found: re.Match[str]) -> str:
    text = found.group(1)
    if text[0] == "x" and len(text) > 1:
        return _character(int(text[1:], 16))
    if text[0] in "01234567":
        return _character(int(text, 8) & 0xFF)
    return _LETTERS.get(text, text)


def _character(code: int) -> str:
    return chr(code) if code < 0x80 else chr(0xDC00 + code)
