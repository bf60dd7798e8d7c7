"""Giving a message back while the disk is full: it stays held, and this is tried until there is room."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pillarbox.ports.clock import Clock
from pillarbox.ports.journal import Journal
from pillarbox.ports.spool import SpoolFull

PAUSE = 10.0
"""Seconds between two tries."""


async def until_there_is_room(
    act: Callable[[], Awaitable[None]], complaint: str, journal: Journal, clock: Clock
) -> None:
    """Do `act`, again and again while it raises SpoolFull; the panic log hears `complaint` once."""
    is_told = False
    while True:
        try:
            await act()
        except SpoolFull as full:
            if not is_told:
                journal.panic(f"{complaint}: {full}")
            is_told = True
            await clock.sleep(PAUSE)
        else:
            return
