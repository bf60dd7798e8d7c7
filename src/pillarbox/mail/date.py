"""Dates as header fields have them (RFC 5322 §3.3): `Tue, 29 Oct 2002 09:00:10 +0000`, in local time.

One second of mail shares one text, so the last one made is kept.
"""

from __future__ import annotations

import time
from functools import lru_cache

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def format_date(at: float) -> str:
    """`at` (seconds since the epoch) in the form of a Date: field. Names are English whatever the locale."""
    return _format_second(int(at))


@lru_cache(maxsize=16)
def _format_second(second: int) -> str:
    moment = time.localtime(second)
    sign, offset = ("+", moment.tm_gmtoff) if moment.tm_gmtoff >= 0 else ("-", -moment.tm_gmtoff)
    zone = f"{sign}{offset // 3600:02d}{offset % 3600 // 60:02d}"
    clock = f"{moment.tm_hour:02d}:{moment.tm_min:02d}:{moment.tm_sec:02d}"
    day, month = _DAYS[moment.tm_wday], _MONTHS[moment.tm_mon - 1]
    return f"{day}, {moment.tm_mday:02d} {month} {moment.tm_year} {clock} {zone}"
