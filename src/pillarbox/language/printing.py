"""Text as error messages show it: what does not print is written as an escape (Exim's way in every log line and error)."""

from __future__ import annotations

import re

_UNPRINTABLE = re.compile(rb"[^ -~]")
_NAMED = {b"\n": b"\\n", b"\r": b"\\r", b"\b": b"\\b", b"\v": b"\\v", b"\f": b"\\f", b"\t": b"\\t"}

EMPTY = "".join(f"{letter}\N{COMBINING BRIDGE BELOW}" for letter in "empty")
"""How what is told step by step shows a text of no length, as Exim does."""


def printable(text: str) -> str:
    r"""`\n`-like escapes and octal ones; a backslash of the text itself stays single."""
    if text.isascii() and text.isprintable():
        return str(text)
    return _UNPRINTABLE.sub(_escaped, text.encode("utf-8", "surrogateescape")).decode("ascii")


def _escaped(found: re.Match[bytes]) -> bytes:
    byte = found.group()
    return _NAMED.get(byte) or b"\\%03o" % byte[0]


def quoted(text: str) -> str:
    """`printable`, for text that stands in double quotes: quotes of its own are escaped too."""
    return printable(text.replace('"', '\\"') if '"' in text else text)
