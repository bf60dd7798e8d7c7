"""Integers in expansions: decimal with K, M, G behind, as conditions and items take them (Exim 11.7)."""

from __future__ import annotations

import re

from pillarbox.language.expand.errors import ExpansionFailed

_INTEGER = re.compile(r"\s*([+-]?)(\d+)([kKmMgG]?)\s*")
_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_LARGEST = 2**63


def integer(text: str) -> int:
    """Empty is 0. Raises ExpansionFailed in Exim's words."""
    if text.isdigit() and len(text) < 18:
        return int(text)
    if not text.strip():
        return 0
    found = _INTEGER.fullmatch(text)
    if not found or len(text) > 40:
        raise ExpansionFailed(f'integer expected but "{text[:80]}" found')
    sign, digits, unit = found.groups()
    number = int(digits) * _UNITS[unit.lower()]
    if number >= _LARGEST:
        raise ExpansionFailed(f'absolute value of integer "{text[:80]}" is too large')
    return -number if sign == "-" else number


def number(text: str) -> str | None:
    """The text if it is an optional minus sign and digits, else None: how items tell numbers from names."""
    digits = text[1:] if text[:1] in ("-", "+") else text
    return text if digits.isascii() and digits.isdigit() else None
