"""Standard input, output and errors carry any bytes, whatever the locale: mail and configurations are not always UTF-8."""

from __future__ import annotations

import sys
from io import TextIOWrapper


def carry_bytes() -> None:
    """Text is UTF-8 from now on, bytes that are not come and go as surrogate escapes."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")
