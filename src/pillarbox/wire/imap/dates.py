"""Dates of the grammar: `date` (SEARCH) and `date-time` (APPEND, INTERNALDATE), RFC 9051 §9."""

from __future__ import annotations

import datetime
import re
import time

from pillarbox.wire.imap.cursor import BadSyntax, Cursor

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NAMES = [b"", *(month.encode("ascii") for month in _MONTHS)]
_NUMBER_OF = {month.upper().encode(): number for number, month in enumerate(_MONTHS, 1)}
_DATE = re.compile(rb'("?)([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})\1')
_DATE_TIME = re.compile(
    rb'"([ 0-9][0-9])-([A-Za-z]{3})-([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-])([0-9]{2})([0-9]{2})"'
)
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def parse_date(cursor: Cursor) -> datetime.date:
    found = cursor.match(_DATE)
    if found is None:
        raise BadSyntax("Expected a date such as 1-Feb-2026")
    try:
        return datetime.date(int(found[4]), _month(found[3]), int(found[2]))
    except ValueError:
        raise BadSyntax("No such date") from None


def parse_date_time(cursor: Cursor) -> float:
    """Seconds since the epoch."""
    found = cursor.match(_DATE_TIME)
    if found is None:
        raise BadSyntax("Expected a date and time in quotes")
    minutes = int(found[8]) * 60 + int(found[9])
    try:
        zone = datetime.timezone(datetime.timedelta(minutes=-minutes if found[7] == b"-" else minutes))
        day, month, year = int(found[1]), _month(found[2]), int(found[3])
        hour, minute, second = int(found[4]), int(found[5]), min(int(found[6]), 59)  # leap seconds
        moment = datetime.datetime(year, month, day, hour, minute, second, tzinfo=zone)
        return (moment - _EPOCH).total_seconds()
    except (ValueError, OverflowError):
        raise BadSyntax("No such date") from None


def _month(name: bytes) -> int:
    number = _NUMBER_OF.get(name.upper())
    if number is None:
        raise ValueError(name)
    return number


def format_date_time(seconds: float) -> bytes:
    """INTERNALDATE's value, quotes included, in UTC: `"17-Jul-1996 02:44:25 +0000"`."""
    try:
        moment = time.gmtime(seconds)
    except (OverflowError, ValueError, OSError):
        moment = time.gmtime(0)
    year, month, day, hour, minute, second = moment[:6]
    return b'"%2d-%b-%04d %02d:%02d:%02d +0000"' % (day, _NAMES[month], year, hour, minute, second)


def date_in_utc(seconds: float) -> datetime.date:
    """The day that `format_date_time` shows, which SEARCH BEFORE, ON and SINCE compare with."""
    try:
        return (_EPOCH + datetime.timedelta(seconds=int(seconds))).date()
    except OverflowError:
        return _EPOCH.date()
