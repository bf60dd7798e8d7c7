"""Integers in expansions: decimal with K, M, G behind, as conditions and items take them (Exim 11.7)."""

from __future__ import annotations

import re

from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.printing import quoted

_INTEGER = re.compile(r"[ \t\n\v\f\r]*([+-]?)([0-9]+)([kKmMgG]?)")
_BLANK = re.compile(r"[ \t\n\v\f\r]*")
_SPACE = " \t\n\v\f\r"
_SHIFTS = {"": 0, "k": 10, "m": 20, "g": 30}
_LEAST, _MOST = -(2**63), 2**63 - 1


def integer(text: str) -> int:
    """64 bits; nothing but white space is 0. Raises ExpansionFailed in Exim's words."""
    if len(text) < 18 and text.isascii() and text.isdigit():
        return int(text)
    if _BLANK.fullmatch(text):
        return 0
    found = _INTEGER.match(text)
    if not found:
        raise ExpansionFailed(f'integer expected but "{quoted(text.lstrip(_SPACE))}" found')
    sign, digits, unit = found.groups()
    significant = digits.lstrip("0") or "0"
    number = int(significant) << _SHIFTS[unit.lower()] if len(significant) < 20 else _MOST + 2
    number = -number if sign == "-" else number
    if not _LEAST <= number <= _MOST:
        raise ExpansionFailed(
            f'absolute value of integer "{quoted(text.lstrip(_SPACE))}" is too large (overflow)'
        )
    if not _BLANK.fullmatch(text, found.end()):
        raise ExpansionFailed(f'invalid integer "{quoted(text.lstrip(_SPACE))}"')
    return number


def natural(text: str) -> int:
    """Of an option that is expanded to a number: as `integer`, but there must be one, and none below 0. Raises ExpansionFailed."""
    if _BLANK.fullmatch(text):
        raise ExpansionFailed(f'integer expected but "{quoted(text.lstrip(_SPACE))}" found')
    found = _INTEGER.match(text)
    if found and found[1] == "-" and found[2].strip("0"):
        raise ExpansionFailed(f'non-negative integer expected but "{quoted(text.lstrip(_SPACE))}" found')
    return integer(text)


def number(text: str) -> str | None:
    """The text if it is an optional minus sign and digits, else None: how items tell numbers from names."""
    digits = text[1:] if text[:1] in ("-", "+") else text
    return text if digits.isascii() and digits.isdigit() else None
