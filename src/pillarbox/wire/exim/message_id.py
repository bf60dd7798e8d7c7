"""Message ids: `1vMXYZ-000000001Lk-1abc`, 23 characters (Exim 4.97 and later, specification 3.4).

Six base-62 digits of seconds since the epoch, eleven for the process, four for the microseconds within the second, so that ids
sort by time as plain text. Exim relies on the operating system's process ids and waits for the clock to tick. We have several workers,
restarts and clocks that are set back, so the process field holds three numbers that are never together twice: the *run* (counted durably
at every start of a worker slot), the slot and the process id. Within a run the time only moves forward: when the clock jumps back
ids go on from the last one, a microsecond at a time.

Known gap: `exim_msgdate -p` shows the combined number instead of the process id.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable

import msgspec

LENGTH = 23
MAX_SLOT = 1023

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}
_PAIRS = tuple(high + low for high in _DIGITS for low in _DIGITS)
_MESSAGE_ID = re.compile(r"[0-9A-Za-z]{6}-[0-9A-Za-z]{11}-[0-9A-Za-z]{4}")
_MICROSECONDS = 1_000_000
_RUN_SHIFT, _SLOT_SHIFT = 32, 22
_RUN_MASK, _PID_MASK = (1 << 32) - 1, (1 << 22) - 1


class MessageIdParts(msgspec.Struct, frozen=True, gc=False):
    """What an id is made of: `seconds` since the epoch, the `process` number, `fraction` in microseconds."""

    seconds: int
    process: int
    fraction: int

    @property
    def time(self) -> float:
        return self.seconds + self.fraction / _MICROSECONDS


def is_message_id(text: str) -> bool:
    """Whether `text` has the form of an id; only then may it become part of a file name."""
    return _MESSAGE_ID.fullmatch(text) is not None


def encode(parts: MessageIdParts) -> str:
    return f"{_base62(parts.seconds, 6)}-{_base62(parts.process, 11)}-{_base62(parts.fraction, 4)}"


def decode(message_id: str) -> MessageIdParts:
    """Raises ValueError when it is no id."""
    if not is_message_id(message_id):
        raise ValueError(f"not a message id: {message_id!r}")
    return MessageIdParts(_number(message_id[:6]), _number(message_id[7:18]), _number(message_id[19:]))


def process_number(run: int, slot: int, pid: int) -> int:
    """The number for the process field: different whenever run, slot or process is."""
    return (run & _RUN_MASK) << _RUN_SHIFT | (slot & MAX_SLOT) << _SLOT_SHIFT | pid & _PID_MASK


class MessageIds:
    """Makes ids for one worker. `now`: seconds since the epoch; `run`: 32 bits, random when not given."""

    __slots__ = ("_last", "_now", "_prefix_second", "_prefix_text", "_process")

    def __init__(
        self, now: Callable[[], float], *, run: int | None = None, slot: int = 0, pid: int | None = None
    ) -> None:
        number = process_number(
            secrets.randbits(32) if run is None else run, slot, os.getpid() if pid is None else pid
        )
        self._now = now
        self._process = f"-{_base62(number, 11)}-"
        self._last = 0
        self._prefix_second = -1
        self._prefix_text = ""

    def new(self) -> str:
        now = int(self._now() * _MICROSECONDS)
        self._last = now = now if now > self._last else self._last + 1
        second, fraction = divmod(now, _MICROSECONDS)
        if second != self._prefix_second:
            self._prefix_second = second
            self._prefix_text = _base62(second, 6) + self._process
        high, low = divmod(fraction, 3844)
        return self._prefix_text + _PAIRS[high] + _PAIRS[low]


def _base62(number: int, width: int) -> str:
    digits: list[str] = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits.append(_DIGITS[digit])
    if number:
        raise ValueError("number too large for its field of a message id")
    return "".join(reversed(digits))


def _number(text: str) -> int:
    number = 0
    for digit in text:
        number = number * 62 + _VALUES[digit]
    return number
