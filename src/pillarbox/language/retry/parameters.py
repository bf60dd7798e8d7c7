"""The last field of a retry rule: `F,2h,15m; G,16h,1h,1.5` (Exim 32.7), with Exim's complaints and its way of printing."""

from __future__ import annotations

import random
import re
from typing import Literal, cast

import msgspec

from pillarbox.mail.interval import seconds_in, show_interval

_ARGUMENT = re.compile(r"[A-Za-z0-9]*")
_FACTOR_TEXT = re.compile(r"[A-Za-z0-9.]*")
_SPACE = re.compile(r"[ \t]*")
_TIME = re.compile(r"(?:\d{1,12}[wdhms])+")
_FACTOR = re.compile(r"(\d{1,9})(?:\.(\d*))?")
_MAX_STEPS = 10_000
_MAX_SECONDS = 2**31 - 1


class RetrySyntaxError(Exception):
    """`str()` says what is wrong with the rule, in Exim's words."""


class Algorithm(msgspec.Struct, frozen=True, gc=False):
    """`F,cutoff,interval`, `G,cutoff,first,factor`, `H,…`: seconds, the cutoff from the first failure on."""

    letter: Literal["F", "G", "H"]
    cutoff: float
    interval: float
    factor: float = 1.0

    def gap(self, previous: float, longest: float) -> float:
        """Seconds to wait after waiting `previous`."""
        if self.letter == "F":
            return min(self.interval, longest)
        if self.letter == "H":
            most = max(previous * self.factor, self.interval)
            return min(random.uniform(self.interval, most), longest)
        gap = self.interval
        for _ in range(_MAX_STEPS):
            if gap > previous or gap >= longest:
                break
            gap *= self.factor
        return min(gap, longest)

    def show(self) -> str:
        """As `-brt` prints it; the factor of `H` it keeps to itself."""
        times = f"{self.letter},{show_interval(self.cutoff)},{show_interval(self.interval)}"
        if self.letter != "G":
            return times
        thousandths = round(self.factor * 1000)
        fraction = f"{thousandths % 1000:03d}".rstrip("0") or "0"
        return f"{times},{thousandths // 1000}.{fraction}"


def parse_time(text: str) -> int | None:
    """`1w2d3h` → seconds, each number with its unit; None when it is no time."""
    if _TIME.fullmatch(text) is None:
        return None
    return min(seconds_in(text), _MAX_SECONDS)


def parse_algorithms(text: str) -> tuple[Algorithm, ...]:
    """Raises RetrySyntaxError."""
    found: list[Algorithm] = []
    reader = _Reader(text)
    while not reader.is_at_end:
        found.append(reader.algorithm())
    return tuple(found)


class _Reader:
    __slots__ = ("_at", "_text")

    def __init__(self, text: str) -> None:
        self._text = text.rstrip()
        self._at = 0

    @property
    def is_at_end(self) -> bool:
        return self._at >= len(self._text)

    def algorithm(self) -> Algorithm:
        letter = self._text[self._at].upper()
        self._at += 1
        cutoff = self._argument(_ARGUMENT)
        if letter not in ("F", "G", "H"):
            raise RetrySyntaxError("unknown retry rule letter")
        interval = self._argument(_ARGUMENT)
        factor = self._argument(_FACTOR_TEXT) if letter != "F" else "1"
        made = _checked(letter, parse_time(cutoff), parse_time(interval), _factor(factor))
        self._space()
        if not self.is_at_end:
            if self._text[self._at] != ";":
                raise RetrySyntaxError("semicolon expected")
            self._at += 1
            self._space()
        return made

    def _argument(self, form: re.Pattern[str]) -> str:
        if self._text[self._at : self._at + 1] != ",":
            raise RetrySyntaxError("comma expected")
        self._at += 1
        self._space()
        found = form.match(self._text, self._at)
        argument = found.group() if found else ""
        self._at += len(argument)
        if self._text[self._at : self._at + 1] not in ("", " ", "\t", ",", ";"):
            raise RetrySyntaxError("comma or semicolon expected")
        return argument

    def _space(self) -> None:
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at


def _factor(text: str) -> float | None:
    found = _FACTOR.fullmatch(text)
    if found is None:
        return None
    return (int(found.group(1)) * 1000 + int((found.group(2) or "")[:3].ljust(3, "0"))) / 1000


def _checked(letter: str, cutoff: int | None, interval: int | None, factor: float | None) -> Algorithm:
    if not cutoff or not interval or factor is None or factor < 1:
        raise RetrySyntaxError("bad parameters for retry rule")
    return Algorithm(cast('Literal["F", "G", "H"]', letter), float(cutoff), float(interval), factor)
