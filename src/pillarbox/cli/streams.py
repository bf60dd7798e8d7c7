"""Standard input, output and errors: they are there, and carry any bytes, whatever the locale: mail and configurations are not always UTF-8."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper


def open_closed() -> None:
    """Programs call us with descriptors 0, 1 or 2 closed. Nothing of ours may come to stand there: what is written goes nowhere, and
    reading fails, so that no empty message is taken for one."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_WRONLY)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def carry_bytes() -> None:
    """Text is UTF-8 from now on, bytes that are not come and go as surrogate escapes."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")
