"""A message on standard input: to its end, or to a line with a single dot (without `-i`).

All of it must come within `-or`, or else `receive_timeout` (Exim 14); 0 is for ever. The configuration is read for that only when the
input has not come at once: most of it has.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NoReturn

AT_ONCE = 0.5
"""Seconds. Less than any time-out can be."""
CHUNK = 1 << 16
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_ENDS = (b"\n.\n", b"\n.\r\n")


class Abandoned(Exception):
    """`str()` is for the caller's eyes; `log` for the log, behind the id of a message whose header was there: `has_header`."""

    def __init__(self, text: str, log: str) -> None:
        super().__init__(text)
        self.log = log
        self.has_header = False


class TooBig(Exception):
    pass


def read_input(source: int, patience: Callable[[], float], *, dot_ends: bool, limit: int) -> bytes:
    """As it came, perhaps with more behind the dot. `source`: a file descriptor; `patience` gives seconds. Raises Abandoned, TooBig."""
    gathered = bytearray()
    try:
        with _signals_abandon():
            _gather(gathered, source, patience, dot_ends=dot_ends, limit=limit)
    except Abandoned as abandoned:
        plain = gathered.replace(b"\r", b"")
        abandoned.has_header = plain.startswith(b"\n") or b"\n\n" in plain
        raise
    return bytes(gathered)


def _gather(
    gathered: bytearray, source: int, patience: Callable[[], float], *, dot_ends: bool, limit: int
) -> None:
    began = time.monotonic()
    end: float | None = began + AT_ONCE
    is_limited = False
    while True:
        if not _is_readable(source, end):
            if is_limited:
                raise Abandoned(
                    "exim: timed out while reading - message abandoned",
                    "timed out while reading local message",
                )
            seconds, is_limited = patience(), True
            end = began + seconds if seconds else None
            continue
        try:
            piece = os.read(source, CHUNK)
        except OSError as error:
            what = f"Input read error ({error.strerror})"
            raise Abandoned(f"exim: {what}", f"Message abandoned: {what}") from error
        seen = max(0, len(gathered) - len(_ENDS[-1]))
        gathered += piece
        if len(gathered) > limit:
            raise TooBig
        if not piece or (dot_ends and _has_dot(gathered, seen)):
            return


def _has_dot(gathered: bytearray, seen: int) -> bool:
    return gathered.startswith((b".\n", b".\r\n")) or any(gathered.find(each, seen) >= 0 for each in _ENDS)


def _is_readable(source: int, end: float | None) -> bool:
    """Whether something has come by then."""
    left = None if end is None else max(0.0, end - time.monotonic())
    try:
        return bool(select.select([source], [], [], left)[0])
    except (OSError, ValueError):  # it is closed, or no such thing: reading says what is wrong
        return True


@contextlib.contextmanager
def _signals_abandon() -> Iterator[None]:
    """SIGINT and SIGTERM, where they are not ignored."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, _abandon)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _abandon(number: int, frame: FrameType | None) -> NoReturn:
    name = signal.Signals(number).name
    raise Abandoned(
        f"\nexim: {name} received - message abandoned", f"{name} received while reading local message"
    )
