"""What a command's end is called (sysexits.h, signal(7)), in Exim's words."""

from __future__ import annotations

import signal

_MEANINGS = {
    64: "usage or syntax error",
    65: "error in input data",
    66: "input data missing",
    67: "user nonexistent",
    68: "host nonexistent",
    69: "service or program unavailable",
    70: "internal software error",
    71: "internal operating system error",
    72: "system file missing",
    73: "can't create output file",
    74: "input/output error",
    75: "temporary error",
    76: "protocol error",
    77: "permission denied",
    78: "configuration error",
    127: "unable to exec or command does not exist",
}


def meaning_of(code: int) -> str:
    """What an exit code may mean; empty: nobody knows. A shell gives 128 and more for a command that a signal ended."""
    if code > 128:
        return f"shell command ended by signal {code - 128} ({signal_name(code - 128)})"
    return _MEANINGS.get(code, "")


def signal_name(number: int) -> str:
    try:
        name = signal.strsignal(number)
    except ValueError:
        name = None
    return name or f"Unknown signal {number}"
