"""Intervals of time as Exim writes them: `1w2d3h4m5s` (Exim 6.16).

Each place has its own rule for what it takes and its own complaint; the units and the sum are here.
"""

from __future__ import annotations

import re

UNITS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
"""Letter → seconds, the longest first."""

_PART = re.compile(r"(\d+)([wdhms]?)", re.ASCII)


def seconds_in(text: str) -> int:
    """`1h30m` → 5400; the parts in any order, a number without a unit is seconds. What is no part does not count."""
    return sum(int(count) * UNITS.get(unit, 1) for count, unit in _PART.findall(text))


def show_interval(seconds: float) -> str:
    """5400 → `1h30m`; less than a second → `0s`."""
    left, text = int(seconds), ""
    for letter, unit in UNITS.items():
        count, left = divmod(left, unit)
        if count:
            text += f"{count}{letter}"
    return text or "0s"
