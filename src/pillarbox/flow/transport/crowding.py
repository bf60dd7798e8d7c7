"""How many deliveries of each transport run side by side (`max_parallel`, Exim 24).

Exim defers a delivery that finds no place; here it waits for one, since the processes of a machine with Exim end soon, and ours do not.
A worker counts what it does itself.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Places:
    """Of the transports of one worker, by name."""

    __slots__ = ("_changed", "_running")

    def __init__(self) -> None:
        self._running: Counter[str] = Counter()
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def taken(self, name: str, limit: int) -> AsyncIterator[None]:
        """While this runs. `limit`: so many deliveries of that transport at once; 0: as many as come. Each may know another limit."""
        if limit <= 0:
            yield
            return
        async with self._changed:
            await self._changed.wait_for(lambda: self._running[name] < limit)
            self._running[name] += 1
        try:
            yield
        finally:
            async with self._changed:
                self._running[name] -= 1
                self._changed.notify_all()
