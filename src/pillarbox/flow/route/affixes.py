"""Prefixes and suffixes of local parts: `owner-`, `-request`, `*-` (Exim 15, `local_part_prefix`)."""

from __future__ import annotations

from typing import NamedTuple

from pillarbox.language.match.items import split


class Affix(NamedTuple):
    """`text` without its wildcard; `wildcard` is `*` (longest), `~` (shortest) or empty."""

    text: str
    wildcard: str


def parse_affixes(source: str, *, is_prefix: bool) -> tuple[Affix, ...]:
    """A colon-separated list. A wildcard with nothing beside it stands for the whole local part."""
    affixes: list[Affix] = []
    for item, _ in split(source):
        wildcard = item[:1] if is_prefix else item[-1:]
        if wildcard not in ("*", "~"):
            affixes.append(Affix(item.lower(), ""))
            continue
        text = item[1:] if is_prefix else item[:-1]
        affixes.append(Affix(text.lower(), wildcard))
    return tuple(affixes)


class Taken(NamedTuple):
    """How many characters an affix takes, and how many of them its wildcard stands for (`$local_part_prefix_v`)."""

    length: int = 0
    variable: int = 0


NOTHING = Taken()


def find_prefix(local_part: str, prefixes: tuple[Affix, ...]) -> Taken:
    """What the first prefix that matches takes. Case does not count."""
    folded = local_part.lower()
    for text, wildcard in prefixes:
        if not wildcard:
            if folded.startswith(text):
                return Taken(len(text))
            continue
        at = folded.rfind(text) if wildcard == "*" else folded.find(text)
        if at >= 0:
            return Taken(at + len(text), at)
    return NOTHING


def find_suffix(local_part: str, suffixes: tuple[Affix, ...]) -> Taken:
    """The same for suffixes, counted from the end. One without a wildcard is never the whole local part."""
    folded = local_part.lower()
    for text, wildcard in suffixes:
        if not wildcard:
            if folded.endswith(text) and folded != text:
                return Taken(len(text))
            continue
        at = folded.find(text) if wildcard == "*" else folded.rfind(text)
        if at >= 0:
            length = len(folded) - at
            return Taken(length, length - len(text))
    return NOTHING
