"""Clients that are slowed down: `smtp_ratelimit_hosts`, `smtp_ratelimit_mail` and `smtp_ratelimit_rcpt` (Exim 14).

Only the client's own session waits. The delay grows from command to command as long as the connection lasts.
"""

from __future__ import annotations

import msgspec

from pillarbox.config.kinds import parse_duration
from pillarbox.ports.clock import Clock


class Pace(msgspec.Struct, frozen=True):
    """`threshold, delay, factor, longest`; times in seconds."""

    threshold: int
    delay: float
    factor: float
    longest: float

    @classmethod
    def parse(cls, text: str) -> Pace:
        """`2,0.5s,1.05,4m`, already checked."""
        threshold, delay, factor, longest = (part.strip() for part in text.split(","))
        return cls(int(threshold), _seconds(delay), float(factor), _seconds(longest))


class Brake:
    """One kind of command in one session."""

    __slots__ = ("_clock", "_delay", "_pace")

    def __init__(self, pace: Pace, clock: Clock) -> None:
        self._pace = pace
        self._clock = clock
        self._delay = pace.delay

    async def slow_down(self, count: int) -> None:
        """Before the answer to the `count`th command."""
        if count <= self._pace.threshold:
            return
        await self._clock.sleep(self._delay)
        self._delay = min(self._delay * self._pace.factor, self._pace.longest)


def _seconds(text: str) -> float:
    """Unlike other times, with decimals: `0.25s`."""
    number, unit = text[:-1], text[-1]
    if "." in number:
        return float(number) * parse_duration(f"1{unit}")
    return float(parse_duration(text))
