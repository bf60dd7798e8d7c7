"""The fast lane of commands, which have one thing after another to do as Exim's processes have, so that their logs read like Exim's.

A delivery is told to its end (`Completed`) before its attempt counts as over. Bounces and other messages of our own do not begin beside
the message that they are about: with `-odi` they are delivered before that is over (Exim waits for its child), else right behind it.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from pillarbox.flow.queue.deliver import FIRST, Urgency
from pillarbox.flow.queue.fastlane import FastLane
from pillarbox.ports.spool import Queued


class OrderlyLane(FastLane):
    """Our own messages come behind the one that they are about."""

    __slots__ = ("_own",)

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self._own: deque[Queued] = deque()

    @property
    def load(self) -> int:
        return super().load + len(self._own)

    def own_delivery(self, queued: Queued) -> None:
        self._own.append(queued)

    async def deliver_own(self) -> None:
        while self._own:
            await self._deliver(self._own.popleft(), FIRST)

    async def drain(self) -> None:
        await self.deliver_own()
        await super().drain()

    async def _deliver(self, queued: Queued, urgency: Urgency) -> None:
        await super()._deliver(queued, urgency)
        await self._flush()
        await self.deliver_own()


class WaitingLane(OrderlyLane):
    """`-odi`: they come before it is over."""

    __slots__ = ()
    is_waited_for = True

    async def _attempted(self) -> None:
        await self.deliver_own()
