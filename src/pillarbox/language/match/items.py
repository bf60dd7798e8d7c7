"""The item syntax all lists share (Exim 6.20, 10.2).

A list is text divided by colons, or by what stands behind a `<` at its beginning (punctuation or a control character); a doubled
separator is a literal one, except a control character; white space around items does not count. `!` in front of an item negates it.
Items of a tainted list are tainted.
"""

from __future__ import annotations

import re
from typing import NamedTuple

SPACE = " \t\n\v\f\r"
"""White space of the C locale."""
_CHANGE = re.compile(r"[ \t\n\v\f\r]*<([!-/:-@\[-`{-~\x00-\x1f\x7f])")


class Item(NamedTuple):
    text: str
    is_negated: bool
    position: int
    """Of its first character, in the list's text."""


def split(source: str, usual: str = ":") -> list[tuple[str, int]]:
    """The items in order with their positions. An empty item counts, but not behind a final separator. `usual`: the separator where the
    list names none."""
    separator, start = _separator(source, usual)
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
        if source.startswith(separator, position) and separator >= " " and separator != "\x7f":
            piece += separator
            position += 1
            continue
        found.append(_stripped(piece, begin))
        piece, begin = "", position
    last, at = _stripped(piece, begin)
    if last:
        found.append((last, at))
    return found


def filled_items(source: str) -> list[str]:
    """The items that are not empty."""
    return [text for text, _ in split(source) if text]


def split_items(source: str) -> list[Item]:
    """The same with negation taken off."""
    return [item_of(text, position) for text, position in split(source)]


def item_of(text: str, position: int) -> Item:
    """One item, stripped, with its negation taken off."""
    if text.startswith("!"):
        return Item(text[1:].lstrip(SPACE), True, position)
    return Item(text, False, position)


def separator_of(source: str) -> str:
    """The character that divides the list."""
    return _separator(source)[0]


def _separator(source: str, usual: str = ":") -> tuple[str, int]:
    change = _CHANGE.match(source)
    if change:
        return change.group(1), change.end()
    return usual, 0


def _stripped(piece: str, begin: int) -> tuple[str, int]:
    """Without white space around it; one at the end stays where a backslash is in front of it."""
    text = piece.lstrip(SPACE)
    at = begin + len(piece) - len(text)
    bare = text.rstrip(SPACE)
    return (text[: len(bare) + 1] if bare.endswith("\\") else bare), at
