"""A clock that jumps: sleeping takes no time, it only moves the clock."""

from __future__ import annotations

import asyncio


class JumpClock:
    """ports.clock.Clock for tests. `slept` records every sleep."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.wall = now
        self.ticks = 1000.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.ticks

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.jump(seconds)
        await asyncio.sleep(0)

    def jump(self, seconds: float) -> None:
        self.wall += seconds
        self.ticks += seconds
