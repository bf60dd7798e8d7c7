"""How a walk through a long queue shares its worker with those who send it mail.

Looking at a hundred thousand messages must not slow down who brings new ones. Behind every ten the walk rests for a moment; while somebody
is connected it rests four times as long as the ten took, so that it has a fifth of the worker. What the ten took grows with what else the
worker does, so the rest does, too.
"""

from __future__ import annotations

from collections.abc import Callable

from pillarbox.ports.clock import Clock

LONG_QUEUE = 1000
"""Messages of a walk that are looked at without a rest."""
STRIDE = 10
SHORTEST, LONGEST = 0.005, 0.25
"""Seconds of a rest; ten messages may have waited for hosts that are slow, and that takes nothing from anybody."""
REST_TO_WORK = 4.0


class Pace:
    """One for a worker; each walk has its `Steps`."""

    __slots__ = ("_clock", "connections")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.connections: Callable[[], int] = _none
        """How many clients there are now, of all workers."""

    def steps(self) -> Steps:
        return Steps(self, self._clock)


class Steps:
    __slots__ = ("_began", "_clock", "_count", "_pace")

    def __init__(self, pace: Pace, clock: Clock) -> None:
        self._pace, self._clock = pace, clock
        self._count, self._began = 0, clock.monotonic()

    async def step(self) -> None:
        """In front of each message."""
        self._count += 1
        if self._count % STRIDE:
            return
        if self._count > LONG_QUEUE:
            await self._clock.sleep(self._rest(self._clock.monotonic() - self._began))
        self._began = self._clock.monotonic()

    def _rest(self, worked: float) -> float:
        if not self._pace.connections():
            return SHORTEST
        return min(max(worked * REST_TO_WORK, SHORTEST), LONGEST)


def _none() -> int:
    return 0
