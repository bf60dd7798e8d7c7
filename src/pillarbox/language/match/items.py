"""The item syntax all lists share (Exim 10.1 to 10.7, 6.21).

A list is text divided by colons, or by what stands behind a `<` at its beginning; a doubled separator is a literal one; white
space around items does not count. `!` in front of an item negates it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_CHANGE = re.compile(r"\s*<\s*([^\w\s\"'])")


class Item(NamedTuple):
    text: str
    is_negated: bool
    position: int
    """Of its first character, in the list's text."""


def split(source: str) -> list[tuple[str, int]]:
    """The items in order with their positions. An empty item counts, but not behind a final separator."""
    separator, start = _separator(source)
    found: list[tuple[str, int]] = []
    piece = ""
    begin = position = start
    end = len(source)
    while position < end:
        stop = source.find(separator, position)
        if stop < 0:
            piece += source[position:]
            position = end
            break
        piece += source[position:stop]
        position = stop + 1
        if source.startswith(separator, position) and separator >= " ":
            piece += separator
            position += 1
            continue
        found.append(_stripped(piece, begin))
        piece, begin = "", position
    last, at = _stripped(piece, begin)
    if last:
        found.append((last, at))
    return found


def split_items(source: str) -> list[Item]:
    """The same with negation taken off."""
    items: list[Item] = []
    for text, position in split(source):
        if text.startswith("!"):
            items.append(Item(text[1:].lstrip(), True, position))
        else:
            items.append(Item(text, False, position))
    return items


def separator_of(source: str) -> str:
    """The character that divides the list."""
    return _separator(source)[0]


def _separator(source: str) -> tuple[str, int]:
    change = _CHANGE.match(source)
    if change:
        return change.group(1), change.end()
    return ":", 0


def _stripped(piece: str, begin: int) -> tuple[str, int]:
    lead = len(piece) - len(piece.lstrip())
    return piece.strip(), begin + lead
