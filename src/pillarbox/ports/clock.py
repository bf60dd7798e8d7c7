"""The one source of time. Tests pass a clock that jumps; nothing else may read time or sleep."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    def now(self) -> float:
        """Wall time, seconds since the epoch. May jump back when the machine's clock is set."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back, for time-outs and durations."""
        ...

    async def sleep(self, seconds: float) -> None: ...
