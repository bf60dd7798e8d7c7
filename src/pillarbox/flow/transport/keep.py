"""Connections to other hosts: how many at once, and kept for the next message (Exim 30.1, `connection_max_messages`).

Exim passes one connection from process to process; here the worker keeps idle ones for a few seconds. To one destination only so many
are open at the same time; further messages wait for one of them, in order, and when too many wait they are told so. A connection carries
one message at a time. Whether a host answers is found out by one: who comes meanwhile waits for that, so that a dead host is asked once,
not once by each of its messages. All is bounded: open and waiting per destination, idle in all, by age and by count of messages.
"""

from __future__ import annotations

import asyncio
from collections import deque
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
    """Open at once, idle ones among them."""
    waiting: int = 200
    """Messages that may wait for a connection to one destination."""
    idle_in_all: int = 200


class Crowded(Exception):
    """Too many messages wait for this destination already: come back later."""


class _Destination:
    __slots__ = ("answers", "idle", "is_serial", "open", "waiters")

    def __init__(self) -> None:
        self.idle: list[tuple[float, Kept]] = []
        """Since when (monotonic), oldest first."""
        self.open = 0
        """Connections that exist or are being made."""
        self.answers = False
        """One of them was made, and none has failed since."""
        self.is_serial = False
        self.waiters: deque[asyncio.Future[Kept | None]] = deque()


class ConnectionKeep:
    """Sessions by destination; the key holds all that must be equal (host, port, transport, TLS demands, HELO name).

    Every `take` is followed by one `give` (it may be used again) or one `drop` (it is gone, or never came to be).
    """

    __slots__ = ("_clock", "_destinations", "_idle", "_limits", "_ticker")

    def __init__(self, clock: Clock, limits: KeepLimits | None = None) -> None:
        self._clock = clock
        self._limits = limits or KeepLimits()
        self._destinations: dict[Hashable, _Destination] = {}
        self._idle = 0
        self._ticker: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """Idle sessions."""
        return self._idle

    async def take(self, key: Hashable, *, is_serial: bool = False, is_careful: bool = False) -> Kept | None:
        """A session, the one used last, which the other side is least likely to have closed; None: open one. Waits for a place.
        `is_serial`: there is only one. `is_careful`: there is only one until it is known that the host answers. Raises Crowded."""
        place = self._destinations.get(key)
        if place is None:
            place = self._destinations[key] = _Destination()
        if place.idle:
            self._idle -= 1
            return place.idle.pop()[1]
        place.is_serial = is_serial
        is_alone = is_serial or (is_careful and not place.answers)
        if place.open < (1 if is_alone else self._limits.per_destination):
            place.open += 1
            return None
        if len(place.waiters) >= self._limits.waiting:
            raise Crowded
        return await self._wait(key, place)

    async def _wait(self, key: Hashable, place: _Destination) -> Kept | None:
        waiter: asyncio.Future[Kept | None] = asyncio.get_running_loop().create_future()
        place.waiters.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                session = waiter.result()
                if session is not None:
                    session.close()
                self.drop(key)
            raise

    def note_answer(self, key: Hashable) -> None:
        """The host has let us in: those who wait need not do so one after the other."""
        place = self._destinations[key]
        place.answers = True
        while place.waiters and not place.is_serial and place.open < self._limits.per_destination:
            waiter = place.waiters.popleft()
            if not waiter.done():
                place.open += 1
                waiter.set_result(None)

    def note_silence(self, key: Hashable) -> None:
        """It has not."""
        self._destinations[key].answers = False

    async def give(self, key: Hashable, session: Kept) -> None:
        """To the next message that waits; else keep it for a while, or take leave when too many are idle."""
        place = self._destinations[key]
        while place.waiters:
            waiter = place.waiters.popleft()
            if not waiter.done():
                waiter.set_result(session)
                return
        if self._idle >= self._limits.idle_in_all:
            self.drop(key)
            await session.quit()
            return
        place.idle.append((self._clock.monotonic(), session))
        self._idle += 1
        if self._ticker is None:
            self._ticker = asyncio.create_task(self._tick())

    def drop(self, key: Hashable) -> None:
        """One connection less: whoever waits next may open another."""
        place = self._destinations[key]
        while place.waiters:
            waiter = place.waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        place.open -= 1
        if not place.open:
            del self._destinations[key]

    async def quit(self) -> None:
        """Take leave of every host."""
        sessions = self._take_older_than(float("inf"))
        for session in sessions:
            await session.quit()
        if sessions:
            await asyncio.sleep(0)  # the loop may stop next, with the words still unwritten

    def close(self) -> None:
        """Hang up everywhere, before stopping."""
        for session in self._take_older_than(float("inf")):
            session.close()
        if self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None

    async def _tick(self) -> None:
        """One timer for all, while anything is idle."""
        while self._idle:
            await self._clock.sleep(self._limits.idle / 2)
            for session in self._take_older_than(self._clock.monotonic() - self._limits.idle):
                await session.quit()
        self._ticker = None

    def _take_older_than(self, before: float) -> list[Kept]:
        """Idle sessions not used since `before`, no longer counted."""
        old: list[Kept] = []
        for key, place in list(self._destinations.items()):
            while place.idle and place.idle[0][0] <= before:
                old.append(place.idle.pop(0)[1])
                self._idle -= 1
                self.drop(key)
        return old
