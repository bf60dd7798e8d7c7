"""Numbers, sizes and times as options hold them (Exim 6.13 to 6.16), with Exim's limits and its words for what is wrong.

Integers are C's: decimal, octal behind `0`, hexadecimal behind `0x`, in 32 bits, with K, M, G or T behind. A time needs a letter
behind every number. Errors hold `NAME`, which whoever knows the option replaces by its name (`declare.Option.parse`).
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Literal

from pillarbox.config.errors import OptionError
from pillarbox.mail.interval import seconds_in, show_interval

NAME = "\0"
"""In an OptionError: here the option's name belongs."""

IntegerLimit = Literal[31, 63]

_INTEGER = re.compile(r"\s*([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)([kKmMgGtT]?)")
_OCTAL = re.compile(r"\s*([+-]?)([0-7]+)")
_FIXED = re.compile(r"(\d+)(?:\.(\d*))?")
_TIME = re.compile(r"(?:\d+[wdhms])+")
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_MAX_TIME = 2**31 - 1


def parse_integer(text: str, *, bits: IntegerLimit = 31) -> int:
    """`10`, `0x1f`, `017`, `-3`, `4K` (Exim 6.13). Raises OptionError."""
    found = _INTEGER.match(text)
    if not found:
        raise OptionError(f"integer expected for {NAME}")
    sign, digits, unit = found.groups()
    base = 16 if digits[1:2] in ("x", "X") else 8 if digits.startswith("0") else 10
    number = int(digits, base) * _UNITS[unit.lower()] if len(digits) < 40 else 1 << 99
    if number >= 1 << bits:
        raise OptionError(f'absolute value of integer "{text}" is too large (overflow)')
    if text[found.end() :].strip():
        raise OptionError(f"extra characters follow integer value for {NAME}")
    return -number if sign == "-" else number


def parse_kilobytes(text: str) -> int:
    """Space on a disk: `3` and `3K` are 3072 bytes, `10M` is what it says. Raises OptionError."""
    plain = text.strip()
    if plain[-1:] in "kKmMgGtT":
        return parse_integer(text, bits=63)
    return parse_integer(text, bits=63) * 1024


def parse_octal(text: str) -> int:
    """Octal, with or without a leading 0 (Exim 6.14). Raises OptionError."""
    found = _OCTAL.match(text)
    if not found:
        raise OptionError(f"octal integer expected for {NAME}")
    if text[found.end() :].strip():
        raise OptionError(f"extra characters follow octal integer value for {NAME}")
    number = int(found.group(2)[:20], 8)
    if number >= 1 << 31:
        raise OptionError(f'octal integer "{text}" is too large (overflow)')
    return -number if found.group(1) == "-" else number


def parse_fixed_point(text: str) -> float:
    """`1.5`; digits behind the third do not count (Exim 6.15). Raises OptionError."""
    found = _FIXED.match(text)
    if not found and re.match(r"-\d", text):
        raise OptionError(f'integer "{text}" is too large (overflow)')
    if not found:
        raise OptionError(f"fixed-point number expected for {NAME}")
    whole, part = found.group(1), found.group(2) or ""
    if text[found.end() :].strip():
        raise OptionError(f"extra characters follow fixed-point value for {NAME}")
    if len(whole) > 7 or int(whole) * 1000 >= 1 << 31:
        raise OptionError(f'integer "{text}" is too large (overflow)')
    return int(whole) + int(part[:3].ljust(3, "0")) / 1000


def parse_duration(text: str) -> float:
    """`1h30m` → 5400.0 seconds (Exim 6.16); units in any order. Raises OptionError."""
    text = text.strip()
    if len(text) > 80 or not _TIME.fullmatch(text):
        raise OptionError(f"invalid time value for {NAME}")
    seconds = seconds_in(text)
    if seconds > _MAX_TIME:
        raise OptionError(f"invalid time value for {NAME}")
    return float(seconds)


def parse_durations(text: str) -> tuple[float, ...]:
    """`4h:8h` → (14400.0, 28800.0): ascending, ten at most; none for nothing and for `0s` alone. Raises OptionError."""
    times = tuple(parse_duration(item) for item in text.split(":")) if text.strip() else ()
    if len(times) > 10:
        raise OptionError(f"too many time values for {NAME}")
    if any(later <= earlier for earlier, later in pairwise(times)):
        raise OptionError(f"time value out of order for {NAME}")
    return () if times == (0.0,) else times


def show_durations(times: tuple[float, ...]) -> str:
    return ":".join(show_interval(seconds) for seconds in times)


def show_octal(number: int) -> str:
    return f"0{number:o}" if number else "0"


def show_size(size: int) -> str:
    """In whole M or K where that is exact."""
    if size and size % _UNITS["m"] == 0:
        return f"{size >> 20}M"
    if size and size % _UNITS["k"] == 0:
        return f"{size >> 10}K"
    return str(size)


def show_kilobytes(size: int) -> str:
    """In the largest of T, G, M, K that is exact."""
    for unit in "tgm":
        if size and size % _UNITS[unit] == 0:
            return f"{size // _UNITS[unit]}{unit.upper()}"
    return f"{size // 1024}K" if size else "0"


def show_fixed_point(number: float) -> str:
    """1.5 → `1.5`, 1 → `1.0`."""
    whole, part = divmod(round(number * 1000), 1000)
    return f"{whole}.{f'{part:03}'.rstrip('0') or '0'}"
