"""Exim's numbers for what retry rules and hints call by name: errno, and negative ones of its own.

They are what `exim_dumpdb retry` shows in front of a hint, and `$event_defer_errno` in events.
"""

from __future__ import annotations

NUMBERS = {
    "refused": 111,
    "timeout_connect": 110,
    "timeout": 110,
    "unreachable": 113,
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
    "expansion": -1,
    "frozen": -1,
    "routing": -53,
    "event": -65,
    "event_close": -27,
    "": 0,
}
LETTERS = {"MX": 77, "A": 65}
"""Of the record that has led to the host."""


def number_of(error: str) -> int:
    """Of a name without detail; -1: it has none."""
    return NUMBERS.get(error, -1)


def further_of(detail: str, *, is_response: bool, is_by_mx: bool = False) -> int:
    """What goes with it: the record's letter; of a temporary response, its last two digits too."""
    if is_response and detail.isdecimal():
        return int(detail) % 100 << 8 | LETTERS["MX" if is_by_mx else "A"]
    return LETTERS.get(detail, 0)
