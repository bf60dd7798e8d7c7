"""Connections kept for the next message to the same destination (Exim 30.1, `connection_max_messages`).

Exim passes one connection from process to process; here the worker keeps idle ones for a few seconds, several per destination when
several messages were under way at once. A kept connection is given out to one message at a time. All is bounded: per destination, in all,
by age and by count of messages.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Hashable
from typing import Protocol

import msgspec

from pillarbox.ports.clock import Clock


class Kept(Protocol):
    """A session that can carry another message."""

    async def quit(self) -> None:
        """Say QUIT without waiting for the answer, and hang up."""
        ...

    def close(self) -> None:
        """Hang up at once."""
        ...


class KeepLimits(msgspec.Struct, frozen=True, kw_only=True):
    idle: float = 5.0
    """Seconds until an unused connection is closed."""
    per_destination: int = 20
    in_all: int = 200


class ConnectionKeep:
    """Idle sessions by destination; the key holds all that must be equal (host, port, transport, TLS demands, HELO name)."""

    __slots__ = ("_clock", "_idle", "_limits", "_size", "_ticker")

    def __init__(self, clock: Clock, limits: KeepLimits | None = None) -> None:
        self._clock = clock
        self._limits = limits or KeepLimits()
        self._idle: OrderedDict[Hashable, list[tuple[float, Kept]]] = OrderedDict()
        self._size = 0
        self._ticker: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return self._size

    def take(self, key: Hashable) -> Kept | None:
        """The one used last, which the other side is least likely to have closed; None when there is none."""
        sessions = self._idle.get(key)
        if not sessions:
            return None
        _, session = sessions.pop()
        self._size -= 1
        if not sessions:
            del self._idle[key]
        return session

    async def give(self, key: Hashable, session: Kept) -> None:
        """Keep it for a while, or close it when there is no room."""
        sessions = self._idle.get(key)
        if self._size >= self._limits.in_all or (
            sessions is not None and len(sessions) >= self._limits.per_destination
        ):
            await session.quit()
            return
        if sessions is None:
            sessions = self._idle[key] = []
        sessions.append((self._clock.monotonic(), session))
        self._size += 1
        if self._ticker is None:
            self._ticker = asyncio.create_task(self._tick())

    async def quit(self) -> None:
        """Take leave of every host."""
        for session in self._take_older_than(float("inf")):
            await session.quit()

    def close(self) -> None:
        """Hang up everywhere, before stopping."""
        for session in self._take_older_than(float("inf")):
            session.close()
        if self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None

    async def _tick(self) -> None:
        """One timer for all, while anything is idle."""
        while self._size:
            await self._clock.sleep(self._limits.idle / 2)
            for session in self._take_older_than(self._clock.monotonic() - self._limits.idle):
                await session.quit()
        self._ticker = None

    def _take_older_than(self, before: float) -> list[Kept]:
        old: list[Kept] = []
        for key, sessions in list(self._idle.items()):
            fresh = [(since, session) for since, session in sessions if since > before]
            old.extend(session for since, session in sessions if since <= before)
            if fresh:
                self._idle[key] = fresh
            else:
                del self._idle[key]
        self._size -= len(old)
        return old
