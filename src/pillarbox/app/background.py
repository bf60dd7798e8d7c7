"""Going on in the background once the caller has their answer: `-odb` (Exim 5.3).

The work is done by a child; the parent waits for what it reports, prints it, and ends. The child keeps nothing of the caller's open, so whoever
reads our output to its end does not wait for the deliveries.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import msgspec


class Report(msgspec.Struct, frozen=True):
    """What the caller is told."""

    code: int
    out: str = ""
    error: str = ""


Tell = Callable[[Report], None]
"""To be called once, as soon as the message is safe or refused."""


def let_go() -> None:
    """Of the caller's input and output: who reads them to their end must not wait for us."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.close(null)


def in_background(work: Callable[[Tell], int]) -> Report:
    """Run `work` in a child until it tells, and let it go on. A child that ends without telling has failed: code 1."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.close(reading)
        _end(work, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    return msgspec.json.decode(told, type=Report) if told else Report(1)


def _end(work: Callable[[Tell], int], writing: int) -> None:
    code = 1
    try:
        code = work(lambda report: _tell(report, writing))
    except Exception as fault:
        _tell(Report(1, error=f"exim: {type(fault).__name__}: {fault}"), writing)
    finally:
        os._exit(code)


def _tell(report: Report, writing: int) -> None:
    """And let go of what is the caller's."""
    let_go()
    os.setsid()
    os.write(writing, msgspec.json.encode(report))
    os.close(writing)
