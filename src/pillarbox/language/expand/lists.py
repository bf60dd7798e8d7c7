"""Lists as expansion items read and write them: `a : b`, `<; a ; b`, doubled separators (Exim 6.21).

Results are written with the separator of the list they came from.
"""

from __future__ import annotations

from collections.abc import Iterable

from pillarbox.language.expand.taint import is_tainted, like, tainted_by
from pillarbox.language.match.items import separator_of, split


def elements(text: str) -> list[str]:
    """As tainted as the list. A `<` with nothing behind it is an empty list."""
    if text.endswith("<") and text.lstrip() == "<":
        return []
    if is_tainted(text):
        return [like(element, text) for element, _ in split(text)]
    return [element for element, _ in split(text)]


def joined(parts: Iterable[str], source: str) -> str:
    """The parts as a list with the separator of the list `source`, tainted when one of them is.

    Separators inside are doubled. Behind another element, an empty one is written as a space, and one that begins with the separator
    behind a space, so that neither looks doubled.
    """
    separator = separator_of(source)
    double = separator * 2
    listed = list(parts)
    text = ""
    for index, part in enumerate(listed):
        written = part.replace(separator, double)
        if index:
            text += separator if written and not written.startswith(separator) else separator + " "
        text += written
    return tainted_by(str(text), listed)
