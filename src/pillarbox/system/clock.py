"""The real clock."""

from __future__ import annotations

import asyncio
import time


class SystemClock:
    """ports.clock.Clock."""

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
