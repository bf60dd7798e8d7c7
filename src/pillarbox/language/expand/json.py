"""JSON as Exim reads it in `${extract json …}` and `forany_json` (Exim 11.5, 11.7): by looking for brackets, commas and quotes.

No values are interpreted: elements are given as they are written. The end of the outermost object or array is found without regard to
quotes, as the real one does, so a lone bracket of that kind inside a string is taken for one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pillarbox.language.expand.errors import ExpansionFailed

_PIECE = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\Z)|[^",\[\]{}]+|.', re.DOTALL)
_SPACE = " \t\r\n\v\f"
_KINDS = {"[": ("]", "array"), "{": ("}", "object")}


def inside(text: str, opening: str, owner: str) -> str:
    """What stands between the brackets of an array or object. Raises ExpansionFailed."""
    closing, kind = _KINDS[opening]
    begun = text.lstrip(_SPACE)
    if not begun.startswith(opening):
        raise ExpansionFailed(f"missing '{opening}' wrapping {kind} for {owner}")
    depth = 0
    for found in re.finditer(f"[{re.escape(opening + closing)}]", begun):
        depth += 1 if found.group() == opening else -1
        if not depth:
            return begun[1 : found.start()]
    raise ExpansionFailed(f"missing '{closing}' wrapping {kind} for {owner}")


def members(content: str) -> Iterator[str]:
    """The elements between commas, up to the first empty one; white space behind an element is part of it."""
    start = position = 0
    depth = 0
    content = content.lstrip(_SPACE)
    for found in _PIECE.finditer(content):
        piece = found.group()
        if piece in "[{":
            depth += 1
        elif piece in "]}":
            depth -= 1
        elif piece == "," and not depth:
            if position == start:
                return
            yield content[start:position].lstrip(_SPACE)
            start = found.end()
            while content[start : start + 1] and content[start] in _SPACE:
                start += 1
        position = max(found.end(), start)
    if content[start:]:
        yield content[start:]


def member(content: str, key: str, owner: str) -> str | None:
    """The value of a member of an object. Raises ExpansionFailed for what does not look like one."""
    for element in members(content):
        found = re.match(r'"((?:[^"\\]|\\.)*)"\s*', element, re.DOTALL)
        if found is None:
            raise ExpansionFailed(f"missing '\"' wrapping string key for {owner}")
        if not element.startswith(":", found.end()):
            if found.group(1) == key:
                raise ExpansionFailed(f"missing object value-separator for {owner}")
            continue
        if found.group(1) == key:
            return element[found.end() + 1 :].lstrip(_SPACE)
    return None


def element(content: str, number: int) -> str | None:
    for place, found in enumerate(members(content), 1):
        if place == number:
            return found.rstrip(_SPACE)
    return None


def unquoted(text: str, owner: str) -> str:
    """A string without its quotes; its escapes stay. Raises ExpansionFailed for what is no string."""
    bare = text.strip(_SPACE)
    if len(bare) < 2 or bare[0] != '"' or bare[-1] != '"':
        raise ExpansionFailed(f"missing '\"' wrapping string result for {owner}")
    return bare[1:-1]
