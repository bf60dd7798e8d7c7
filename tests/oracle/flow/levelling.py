"""What differs each time, made the same before two programs are compared: ids, times, process numbers, sizes, the programs' own names.

A `Leveller` is a pattern and what is put in its place; each is named for what it takes away, and a runner lists those it needs, in order:

    _PLAIN = (*TIMES, PIDS, PROGRAM)
    text = level(numbered(text, ids), *_PLAIN)

What only one runner has to make the same stays with that runner.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple


class Leveller(NamedTuple):
    pattern: re.Pattern[str]
    put: str
    """As for `re.sub`."""


def _leveller(pattern: str, put: str) -> Leveller:
    return Leveller(re.compile(pattern, re.MULTILINE), put)


def level(text: str, *levellers: Leveller) -> str:
    for pattern, put in levellers:
        text = pattern.sub(put, text)
    return text


# Messages

ID = re.compile(r"(?<![0-9A-Za-z])[0-9A-Za-z]{6}-[0-9A-Za-z]{11}-[0-9A-Za-z]{4}(?![0-9A-Za-z])")
IDS = _leveller(rf"(?<![0-9A-Za-z])[Ee]?{ID.pattern.partition(')')[2]}", "ID")
"""Also in the shape of `Message-Id:`, with an E in front."""
OWN_IDS = _leveller(r"(?<![0-9A-Za-z])E[0-9A-Za-z]{6}-[0-9A-Za-z]{11}-[0-9A-Za-z]{4}(?![0-9A-Za-z])", "EID")


def ids_received(mainlog: str) -> list[str]:
    """In the order of reception: those of lines with `<=` (`(=` for one that was refused), not those that bounces refer to."""
    lines = (line.partition(" R=")[0] for line in mainlog.splitlines() if " <= " in line or " (= " in line)
    return list(dict.fromkeys(ID.findall("\n".join(lines))))


def numbered(text: str, ids: Sequence[str]) -> str:
    """`ID1`, `ID2` … for those; `ID` for any other."""
    for number, message_id in enumerate(ids, 1):
        text = text.replace(message_id, f"ID{number}")
    return ID.sub("ID", text)


SIZES = _leveller(r" S=\d+", " S=SIZE")
OFFERED_SIZES = _leveller(r" SIZE=\d+", " SIZE=SIZE")
BOUNCE_SIZES = _leveller(r"( <= <> R=.* S=)\d+", r"\1SIZE")
"""The boundary between the parts of a bounce has another length."""
BOUNDARIES = _leveller(r"\b\d{10,}-(?:\d+)?(?:exim)?dsn-[\w-]+|\b\d{10,}-eximdsn", "BOUNDARY")

# Times

LOG_STAMPS = _leveller(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", "")
"""In front of a line. `log_timezone` and `log_selector = +millisec` say more than that, and are looked at."""
LOG_TIMES = _leveller(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?", "TIME")
HINT_TIMES = _leveller(r"\d\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d", "TIME")
MAIL_DATES = _leveller(r"(?i)[A-Z]{3},? +\d+ [A-Z]{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", "DATE")
FROM_DATES = _leveller(r"(?i)[A-Z]{3} [A-Z]{3} +\d+ \d\d:\d\d:\d\d \d{4}", "DATE")
TIMES = (LOG_TIMES, HINT_TIMES, MAIL_DATES, FROM_DATES)
SPANS = _leveller(r"\b(DT|RT|QT|DP|D)=[\d.hms]+", r"\1=TIME")
"""How long a delivery, a reception, a connection took."""

AGES = _leveller(r"^ *\d+[smhd] ", "AGE ")
"""In front of a message in a listing of the queue."""

# Processes and what they call themselves

PIDS = _leveller(r"\bpid[= ]\d+", "pid")
PROGRAM = _leveller(r"(?i)\((exim|pillarbox)\b[^)\n]*\)", "(MTA)")
CONNECTIONS = _leveller(r"\bCi=\d+(n\d+)?\b", "Ci=N")
CLIENT_PORTS = _leveller(r"(?<=127\.0\.0\.1\]):\d{4,5}|(?<=::1\]):\d{4,5}", ":PORT")
ENHANCED_CODES = _leveller(r"^(\d{3}[ -])[245]\.\d{1,3}\.\d{1,3} ", r"\1")
"""We send them always (RFC 2034), Exim only where a text has them."""
CIPHERS = _leveller(r"\bTLS1\.[23]:\S+", "TLS")
"""GnuTLS and OpenSSL prefer different ones."""
LOADS = _leveller(r"\bload average( =)? [\d.]+", r"load average\1 LOAD")
"""Of the machine, which has other things to do."""

# The spool

FROZEN_AT = _leveller(r"^-frozen \d+", "-frozen TIME")
RECEIVED_AT = _leveller(r"^\d{8,10}( \d+)$", r"TIME\1")
"""And how many warnings have been sent."""
HEADER_LENGTHS = _leveller(r"^\d{3}([A-Z* ]) ", r"\1 ")
"""In front of a header line in -H: that of `Received:` depends on the id and on who says it."""
