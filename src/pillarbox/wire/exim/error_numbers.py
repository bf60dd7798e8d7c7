"""Exim's numbers for what retry rules and hints call by name: errno, and negative ones of its own.

They are what `exim_dumpdb retry` shows in front of a hint, and `$event_defer_errno` in events. What no retry rule has a name for is called
by its number.
"""

from __future__ import annotations

import os

UNNAMED = "number"
NOT_KNOWN = -1
EXISTENCE_UNCLEAR = -3
NOT_A_FILE = -4
NOT_A_DIRECTORY = -5
WRONG_OWNER = -6
WRONG_MODE = -7
FILE_CHANGED = -8
NOT_ABSOLUTE = -21
CANNOT_EXPAND = -27
NO_GROUP = -28
NO_USER = -29
NO_TRANSPORT = -30
FORMAT_UNKNOWN = -33
CREATION_FORBIDDEN = -34

NUMBERS = {
    "refused": 111,
    "timeout_connect": 110,
    "timeout": 110,
    "unreachable": 113,
    "net_unreachable": 101,
    "not_our_address": 99,
    "busy": 16,
    "lost_connection": -18,
    "tls_required": -38,
    "tls": -37,
    "unsigned": 13,
    "quota": -22,
    "malformed": -19,
    "rcpt_4xx": -44,
    "mail_4xx": -45,
    "data_4xx": -46,
    "auth_failed": -42,
    "lookup": -32,
    "dns": -36,
    "dane": -36,
    "missing_mx": -55,
    "redirect_data": -17,
    "transport": NO_TRANSPORT,
    "expansion": -1,
    "frozen": -1,
    "routing": -53,
    "event": -65,
    "event_close": -27,
    "lock": -9,
    "disk_full": 28,
    "": 0,
}
LETTERS = {"MX": 77, "A": 65}
"""Of the record that has led to the host."""


def unnamed(number: int) -> str:
    """The name of what has none of its own; 0: no error."""
    return f"{UNNAMED}_{number}" if number else ""


def number_of(error: str) -> int:
    """Of a name without detail; -1: it has none."""
    name, _, number = error.rpartition("_")
    return int(number) if name == UNNAMED else NUMBERS.get(error, -1)


def text_of(error: str) -> str:
    """What a hint says of an error of the system, whatever the log has; empty: the log's words."""
    number = number_of(error) if error.startswith(UNNAMED) or error == "disk_full" else 0
    return os.strerror(number) if number > 0 else ""


def further_of(detail: str, *, is_response: bool, is_by_mx: bool = False) -> int:
    """What goes with it: the record's letter; of a temporary response, its last two digits too."""
    if is_response and detail.isdecimal():
        return int(detail) % 100 << 8 | LETTERS["MX" if is_by_mx else "A"]
    return LETTERS.get(detail, 0)
