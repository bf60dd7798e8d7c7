"""Lists as expansion items read and write them: `a : b`, `<; a ; b`, doubled separators (Exim 6.21).

Results are written with the separator of the list they came from.
"""

from __future__ import annotations

from collections.abc import Iterable

from pillarbox.language.match.items import separator_of, split


def elements(text: str) -> list[str]:
    return [element for element, _ in split(text)]


def joined(parts: Iterable[str], source: str) -> str:
    """The parts as a list with the separator of `source`, separators inside doubled; an empty element is a space where it must be seen."""
    separator = separator_of(source)
    return separator.join(part.replace(separator, separator * 2) for part in parts)
