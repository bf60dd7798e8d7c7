"""`:matches` (RFC 5228 §2.7.1): `*` any octets, `?` one octet, a backslash takes the meaning away.

A pattern is cut at its stars; the pieces between them have fixed lengths, so that each is looked for once, from where the last one ended.
"""

from __future__ import annotations

import re

_STAR, _QUESTION, _BACKSLASH = b"*?\\"


class BadPattern(Exception):
    """A backslash with nothing behind it was reached."""


class _Piece:
    """Octets between two stars."""

    __slots__ = ("_expression", "_literal", "length")

    def __init__(self, signs: list[int]) -> None:
        """`signs`: octets, -1 for any."""
        self.length = len(signs)
        self._literal = bytes(sign for sign in signs if sign >= 0)
        self._expression = None
        if len(self._literal) < len(signs):
            source = b"".join(b"." if sign < 0 else re.escape(bytes([sign])) for sign in signs)
            self._expression = re.compile(source, re.DOTALL)

    @property
    def has_blanks(self) -> bool:
        return self._expression is not None

    def find(self, text: bytes, begin: int, end: int) -> int:
        """-1: nowhere."""
        if self._expression is None:
            return text.find(self._literal, begin, end)
        found = self._expression.search(text, begin, end)
        return found.start() if found else -1

    def is_at(self, text: bytes, place: int) -> bool:
        if self._expression is None:
            return text.startswith(self._literal, place)
        return self._expression.match(text, place) is not None


class Wildcards:
    """A pattern, ready to be tried. `weight`: how often it may look at an octet."""

    __slots__ = ("_is_cut_off", "_pieces", "weight")

    def __init__(self, pattern: bytes) -> None:
        signs: list[list[int]] = [[]]
        octets = iter(pattern)
        self._is_cut_off = False
        for octet in octets:
            if octet == _STAR:
                signs.append([])
            elif octet == _QUESTION:
                signs[-1].append(-1)
            elif octet != _BACKSLASH:
                signs[-1].append(octet)
            elif (escaped := next(octets, None)) is not None:
                signs[-1].append(escaped)
            else:
                self._is_cut_off = True
                signs.append([])
        self._pieces = [_Piece(each) for each in signs]
        self.weight = max((each.length for each in self._pieces if each.has_blanks), default=1)

    def matches(self, text: bytes) -> bool:
        """Raises BadPattern."""
        found = self._is_found_in(text)
        if found and self._is_cut_off:
            raise BadPattern
        return found

    def _is_found_in(self, text: bytes) -> bool:
        first, *middle = self._pieces
        if not middle:
            return len(text) == first.length and first.is_at(text, 0)
        last = middle.pop()
        begin, end = first.length, len(text) - last.length
        if begin > end or not first.is_at(text, 0) or not last.is_at(text, end):
            return False
        for piece in middle:
            place = piece.find(text, begin, end)
            if place < 0:
                return False
            begin = place + piece.length
        return True
