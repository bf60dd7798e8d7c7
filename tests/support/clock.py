"""Clocks that do not run: one that jumps, for which sleeping takes no time and only moves it, and one that stands."""

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


class StoppedClock:
    """Who sleeps does not wake up again."""

    def now(self) -> float:
        return 1_800_000_000.0

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        await asyncio.get_running_loop().create_future()
