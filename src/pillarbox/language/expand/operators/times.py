"""`time_interval` and `time_eval`: seconds ⇄ `1h2m` (Exim 11.6)."""

from __future__ import annotations

import re

from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.registry import operator

_INTERVAL = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")
_UNITS = (604800, 86400, 3600, 60, 1)


@operator("time_interval")
def time_interval(text: str) -> str:
    if not text.isdigit() or len(text) > 18:
        raise ExpansionFailed(f'string "{text[:80]}" is not a positive number in "time_interval" operator')
    left, shown = int(text), ""
    for unit, letter in zip(_UNITS, "wdhms", strict=True):
        count, left = divmod(left, unit)
        shown += f"{count}{letter}" if count else ""
    return shown or "0s"


@operator("time_eval")
def time_eval(text: str) -> str:
    found = _INTERVAL.fullmatch(text.strip())
    if not found or not any(found.groups()):
        raise ExpansionFailed(f'string "{text[:80]}" is not an Exim time interval in "time_eval" operator')
    return str(sum(int(count) * unit for count, unit in zip(found.groups(), _UNITS, strict=True) if count))
