"""Numbers as filters read them: C's notation, hexadecimal and octal too, in 32 bits (what Exim's `add`, `above` and `below` do)."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"[ \t\n\r\f\v]*([+-]?)(0[xX][0-9A-Fa-f]+|0[0-7]*|[1-9][0-9]*)")
_MOST = 2**63 - 1
_SCALE = {"": 1, "k": 1024, "m": 1024 * 1024}


def parse_number(text: str) -> int | None:
    """The whole text as a number, None when it is not one."""
    found = _NUMBER.fullmatch(text)
    return None if found is None else _value(found)


def parse_scaled(text: str) -> int | None:
    """The same with K or M behind it."""
    found = _NUMBER.match(text)
    if found is None:
        return None
    scale = _SCALE.get(text[found.end() :].rstrip(" \t\n\r\f\v").lower())
    return None if scale is None else wrapped(_value(found) * scale)


def _value(found: re.Match[str]) -> int:
    sign, digits = found.groups()
    base = 16 if digits[:2].lower() == "0x" else 8 if digits[0] == "0" else 10
    size = min(int(digits, base), _MOST) if len(digits) < 100 else _MOST
    return wrapped(-size if sign == "-" else size)


def wrapped(number: int) -> int:
    """Into 32 bits with a sign."""
    return (number + 2**31) % 2**32 - 2**31
