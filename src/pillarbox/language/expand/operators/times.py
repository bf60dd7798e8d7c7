"""`time_interval` and `time_eval`: seconds ⇄ `1h2m` (Exim 11.6). Both reckon in 32 bits, as Exim does."""

from __future__ import annotations

import re

from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.registry import operator
from pillarbox.language.printing import quoted
from pillarbox.mail.interval import UNITS, show_interval

_INTERVAL = re.compile(r"(?:\d+[wdhms])+", re.ASCII)
_PART = re.compile(r"(\d+)([wdhms])", re.ASCII)
_MAX_DIGITS = 1000


@operator("time_interval", untaints=True)
def time_interval(text: str) -> str:
    if text and not (text.isascii() and text.isdigit()):
        raise ExpansionFailed(f'string "{quoted(text)}" is not a positive number in "time_interval" operator')
    seconds = _signed(int(text[:_MAX_DIGITS] or "0"))
    return ("-" if seconds < 0 else "") + show_interval(abs(seconds))


@operator("time_eval", untaints=True)
def time_eval(text: str) -> str:
    seconds = -1
    if _INTERVAL.fullmatch(text):
        parts = _PART.findall(text)
        seconds = _signed(sum(int(count[:_MAX_DIGITS]) * UNITS[unit] for count, unit in parts))
    if seconds < 0:
        raise ExpansionFailed(f'string "{quoted(text)}" is not an Exim time interval in "time_eval" operator')
    return str(seconds)


def _signed(number: int) -> int:
    return (number + 2**31) % 2**32 - 2**31
