"""LIST patterns: `*` matches anything, `%` anything within one level (RFC 9051 §6.3.9).

Matching follows all possible places at once, so that no pattern costs more than its wildcards times the name's length.
"""

from __future__ import annotations

import re

SEPARATOR = "/"
MOST_WILDCARDS = 16
_WILDCARD = re.compile(r"([*%])")


def is_reasonable(pattern: str) -> bool:
    """Whether a client may ask for it: nobody needs more wildcards."""
    return pattern.count("*") + pattern.count("%") <= MOST_WILDCARDS


def matches(pattern: str, name: str) -> bool:
    if pattern == "*":
        return True
    if pattern == "%":
        return SEPARATOR not in name
    if "*" not in pattern and "%" not in pattern:
        return pattern == name
    return _match(pattern, name)


def _match(pattern: str, name: str) -> bool:
    places = {0}
    for token in _WILDCARD.split(pattern):
        places = _advance(token, places, name)
        if not places:
            return False
    return len(name) in places


def _advance(token: str, places: set[int], name: str) -> set[int]:
    """Places in the name that may be reached from `places` over one token."""
    if token == "*":
        return set(range(min(places), len(name) + 1))
    if token != "%":
        size = len(token)
        return {place + size for place in places if name.startswith(token, place)}
    reached: set[int] = set()
    for place in places:
        if place not in reached:
            end = name.find(SEPARATOR, place)
            reached.update(range(place, (len(name) if end < 0 else end) + 1))
    return reached
