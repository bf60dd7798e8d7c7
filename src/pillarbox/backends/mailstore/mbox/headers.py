"""What mail programs write into messages of an mbox for themselves: read once, never shown.

`Status:` and its like change whenever another program opens the file. A message that is served must never change, so those fields are left
out (as Dovecot does), and what a message is known by is made of what remains.
"""

from __future__ import annotations

import calendar
import re
import time

_FIELDS = rb"(?:Status|X-Status|X-Keywords|X-UID|X-IMAP|X-IMAPbase|Content-Length|Lines)"
_VOLATILE = re.compile(rb"^" + _FIELDS + rb"[ \t]*:[^\n]*\n(?:[ \t][^\n]*\n)*", re.IGNORECASE | re.MULTILINE)
_STATUS = re.compile(rb"^(?:X-)?Status[ \t]*:([^\n]*)", re.IGNORECASE | re.MULTILINE)
_FLAGS = {
    b"R"[0]: "\\Seen",
    b"A"[0]: "\\Answered",
    b"F"[0]: "\\Flagged",
    b"D"[0]: "\\Deleted",
    b"T"[0]: "\\Draft",
}
_MONTHS = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_ZONE = rb"(?: +(?:[A-Z]{1,5}|[+-]\d{4}))?"
FROM_LINE = re.compile(
    rb"From [^\n]{0,800}?\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? +(?P<month>"
    + b"|".join(_MONTHS)
    + rb") +(?P<day>\d{1,2})"
    rb" +(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d))?(?P<before>" + _ZONE + rb") +(?P<year>\d{4})"
    rb"(?P<after>" + _ZONE + rb")[^\n]{0,100}\n"
)
"""With a plausible date, which tells it from prose. At most 1000 bytes."""


def _end_of_header(text: bytes) -> int:
    """Where the empty line begins; all of it when there is none."""
    if text.startswith((b"\n", b"\r\n")):
        return 0
    ends = [at + 1 for at in (text.find(b"\n\n"), text.find(b"\n\r\n")) if at >= 0]
    return min(ends, default=len(text))


def without_volatile(text: bytes) -> bytes:
    """`text` begins with a message's header."""
    end = _end_of_header(text)
    header = text[:end]
    if _VOLATILE.search(header) is None:
        return text
    return _VOLATILE.sub(b"", header) + text[end:]


def flags_of(text: bytes) -> frozenset[str]:
    """What other programs have marked it with."""
    marks = b"".join(_STATUS.findall(text[: _end_of_header(text)]))
    return frozenset(flag for letter, flag in _FLAGS.items() if letter in marks)


def date_of(from_line: bytes) -> float:
    """Of delivery, in epoch seconds: local time unless it names a zone in digits. 0: there is none."""
    found = FROM_LINE.match(from_line)
    if found is None:
        return 0.0
    clock = (int(found[name] or 0) for name in ("day", "hour", "minute", "second"))
    day, hour, minute, second = clock
    fields = (int(found["year"]), _MONTHS.index(found["month"]) + 1, day, hour, minute, second, 0, 0, -1)
    zone = (found["before"] or found["after"]).strip()
    try:
        if zone[:1] in (b"+", b"-"):
            away = int(zone[1:3]) * 3600 + int(zone[3:5]) * 60
            return float(calendar.timegm(fields) - (away if zone[:1] == b"+" else -away))
        return time.mktime(fields)
    except (OverflowError, ValueError):
        return 0.0


def from_line(date: float) -> bytes:
    """For a message that is put in: nobody delivered it."""
    return b"From MAILER-DAEMON %b\n" % time.strftime("%a %b %d %H:%M:%S %Y", time.localtime(date)).encode()
