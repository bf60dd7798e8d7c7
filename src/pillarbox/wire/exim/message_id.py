"""Message ids: `1vMXYZ-000000001Lk-1abc`, 23 characters (Exim 4.97 and later, specification 3.4).

Six base-62 digits of seconds since the epoch, eleven for the process, four for the microseconds within the second, so that ids
sort by time as plain text. Exim has the process id alone in the middle, and ids of one second sort by it: its queue runs (`-q FIRST LAST`) and
listings take processes that begin later for later messages. Here several processes live long, so the field holds the microseconds once more in
front of what tells processes apart, the *run* (drawn at every start) and the process id: ids of all processes are in the order of the clock.
Within a process the time only moves forward: when the clock jumps back ids go on from the last one, a microsecond at a time.

Exim before 4.97 made ids of 16 characters (`1vMXYZ-0001Lk-Ab`): six, six and two digits, the last two of them counting 1/2000 of a second.
Messages that wait in its queue keep theirs; none is made here.

Known gap: `exim_msgdate --pid` shows the combined number instead of the process id.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable

import msgspec

LENGTH = 23
"""Of those that are made; old ones are shorter."""

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}
_PAIRS = tuple(high + low for high in _DIGITS for low in _DIGITS)
_MESSAGE_ID = re.compile(r"[0-9A-Za-z]{6}-(?:[0-9A-Za-z]{11}-[0-9A-Za-z]{4}|[0-9A-Za-z]{6}-[0-9A-Za-z]{2})")
_MICROSECONDS = 1_000_000
_OLD_FRACTION = 500
"""Microseconds."""
_PID_BITS, RUN_BITS = 22, 19
"""Linux has process ids of 22 bits at most; both together fit into seven digits."""
_RUN_MASK, _PID_MASK = (1 << RUN_BITS) - 1, (1 << _PID_BITS) - 1


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


def leading_id(name: str) -> str:
    """The id at the beginning of a file's name; empty: there is none."""
    found = _MESSAGE_ID.match(name)
    return found[0] if found is not None else ""


def encode(parts: MessageIdParts) -> str:
    return f"{_base62(parts.seconds, 6)}-{_base62(parts.process, 11)}-{_base62(parts.fraction, 4)}"


def decode(message_id: str) -> MessageIdParts:
    """Raises ValueError when it is no id."""
    if not is_message_id(message_id):
        raise ValueError(f"not a message id: {message_id!r}")
    seconds, process, fraction = map(_number, message_id.split("-"))
    return MessageIdParts(
        seconds,
        process,
        fraction if len(message_id) == LENGTH else min(fraction * _OLD_FRACTION, _MICROSECONDS - 1),
    )


def process_number(run: int, pid: int) -> int:
    """What the last seven digits of the process field say: different whenever run or process is."""
    return (run & _RUN_MASK) << _PID_BITS | pid & _PID_MASK


class MessageIds:
    """Makes ids for one process. `now`: seconds since the epoch; `run`: 19 bits, random when not given."""

    __slots__ = ("_last", "_now", "_prefix_second", "_prefix_text", "_process")

    def __init__(self, now: Callable[[], float], *, run: int | None = None, pid: int | None = None) -> None:
        number = process_number(
            secrets.randbits(RUN_BITS) if run is None else run, os.getpid() if pid is None else pid
        )
        self._now = now
        self._process = f"{_base62(number, 7)}-"
        self._last = 0
        self._prefix_second = -1
        self._prefix_text = ""

    def new(self) -> str:
        now = int(self._now() * _MICROSECONDS)
        self._last = now = now if now > self._last else self._last + 1
        second, fraction = divmod(now, _MICROSECONDS)
        if second != self._prefix_second:
            self._prefix_second = second
            self._prefix_text = f"{_base62(second, 6)}-"
        high, low = divmod(fraction, 3844)
        within = _PAIRS[high] + _PAIRS[low]
        return self._prefix_text + within + self._process + within


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
