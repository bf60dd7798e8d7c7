"""Prefixes and suffixes of local parts: `owner-`, `-request`, `*-` (Exim 15, `local_part_prefix`)."""

from __future__ import annotations

from typing import NamedTuple

from pillarbox.config.errors import OptionError
from pillarbox.language.match.items import split


class Affix(NamedTuple):
    """`text` without its wildcard; `wildcard` is `*` (longest), `~` (shortest) or empty."""

    text: str
    wildcard: str


def parse_affixes(source: str, *, is_prefix: bool) -> tuple[Affix, ...]:
    """A colon-separated list. Raises OptionError for a wildcard with nothing beside it."""
    affixes: list[Affix] = []
    for item, _ in split(source):
        wildcard = item[:1] if is_prefix else item[-1:]
        if wildcard not in ("*", "~"):
            affixes.append(Affix(item.lower(), ""))
            continue
        text = item[1:] if is_prefix else item[:-1]
        if not text:
            raise OptionError(f"{item!r}: a wildcard needs a character beside it")
        affixes.append(Affix(text.lower(), wildcard))
    return tuple(affixes)


def find_prefix(local_part: str, prefixes: tuple[Affix, ...]) -> int:
    """How many characters the first prefix that matches takes; 0: none. Case does not count."""
    folded = local_part.lower()
    for text, wildcard in prefixes:
        if not wildcard:
            if folded.startswith(text):
                return len(text)
            continue
        at = folded.rfind(text) if wildcard == "*" else folded.find(text)
        if at >= 0:
            return at + len(text)
    return 0


def find_suffix(local_part: str, suffixes: tuple[Affix, ...]) -> int:
    """The same for suffixes, counted from the end."""
    folded = local_part.lower()
    for text, wildcard in suffixes:
        if not wildcard:
            if folded.endswith(text):
                return len(text)
            continue
        at = folded.find(text) if wildcard == "*" else folded.rfind(text)
        if at >= 0:
            return len(folded) - at
    return 0
