"""Giving a message back while the disk is full, or there is no descriptor left: it stays held, and this is tried until there is room."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from pillarbox.ports.clock import Clock
from pillarbox.ports.journal import Journal
from pillarbox.ports.spool import SpoolFull

PAUSE = 10.0
"""Seconds between two tries."""


class Patience:
    """Those that wait for room."""

    __slots__ = ("_clock", "_journal", "_waiting")

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._waiting: set[_Waiting] = set()

    async def until_there_is_room(self, act: Callable[[], Awaitable[None]], complaint: str) -> None:
        """Do `act`, again and again while it raises SpoolFull; the panic log hears `complaint` once."""
        is_told = False
        waiting: _Waiting | None = None
        try:
            while True:
                try:
                    await act()
                except SpoolFull as full:
                    if not is_told:
                        self._journal.panic(f"{complaint}: {full}")
                    is_told = True
                else:
                    return
                if waiting is not None:
                    waiting.has_tried()
                waiting = _Waiting()
                await self._pause(waiting)
        finally:
            if waiting is not None:
                waiting.has_tried()

    async def _pause(self, waiting: _Waiting) -> None:
        time_out = asyncio.ensure_future(self._clock.sleep(PAUSE))
        self._waiting.add(waiting)
        try:
            await asyncio.wait([waiting.woken, time_out], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._waiting.discard(waiting)
            time_out.cancel()

    async def try_now(self) -> None:
        """Whoever waits tries at once; returns when they have."""
        all_waiting = tuple(self._waiting)
        for waiting in all_waiting:
            if not waiting.woken.done():
                waiting.woken.set_result(None)
        if all_waiting:
            await asyncio.wait([waiting.tried for waiting in all_waiting])


class _Waiting:
    """One of them, between two tries."""

    __slots__ = ("tried", "woken")

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.woken: asyncio.Future[None] = loop.create_future()
        self.tried: asyncio.Future[None] = loop.create_future()
        """The next try is over."""

    def has_tried(self) -> None:
        if not self.tried.done():
            self.tried.set_result(None)
