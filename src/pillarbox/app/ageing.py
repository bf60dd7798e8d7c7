"""Messages as old as a test harness wants them (`-Tqt 3h/1d`): each that is claimed takes the next age, later ones keep their own.

What is on the disk keeps its time of reception; only what this process sees of a claimed message is older.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from pillarbox.app.world import ProcessSpool
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.message import Message
from pillarbox.mail.progress import Event
from pillarbox.ports.clock import Clock
from pillarbox.ports.spool import BodyWriter, Queued, QueueEntry


class AgedSpool:
    """Over another spool."""

    def __init__(self, spool: ProcessSpool, ages: Sequence[float], clock: Clock) -> None:
        """`ages`: seconds."""
        self._spool = spool
        self._ages = iter(ages)
        self._clock = clock

    async def claim(self, message_id: str) -> Queued:
        queued = await self._spool.claim(message_id)
        age = next(self._ages, None)
        if age is None:
            return queued
        envelope = msgspec.structs.replace(queued.envelope, received_at=self._clock.now() - age)
        return msgspec.structs.replace(queued, envelope=envelope)

    async def start(self) -> int:
        return await self._spool.start()

    async def stop(self) -> None:
        await self._spool.stop()

    def new_id(self) -> str:
        return self._spool.new_id()

    def body_writer(self, message_id: str) -> BodyWriter:
        return self._spool.body_writer(message_id)

    async def accept(self, envelope: Envelope, message: Message) -> Queued:
        return await self._spool.accept(envelope, message)

    def record(self, message_id: str, events: Iterable[Event]) -> None:
        self._spool.record(message_id, events)

    async def finish(self, message_id: str) -> None:
        await self._spool.finish(message_id)

    async def show(self, message_id: str) -> None:
        await self._spool.show(message_id)

    async def park(self, message_id: str) -> None:
        await self._spool.park(message_id)

    async def release(self, message_id: str) -> None:
        await self._spool.release(message_id)

    def tell_malformed(self, message_id: str) -> None:
        self._spool.tell_malformed(message_id)

    def waiting(self) -> Iterator[str]:
        return self._spool.waiting()

    def entry(self, message_id: str) -> QueueEntry | None:
        return self._spool.entry(message_id)

    async def move(self, message_id: str, directory: str, prefix: str = "") -> None:
        await self._spool.move(message_id, directory, prefix)

    async def remove(self, message_id: str) -> None:
        await self._spool.remove(message_id)
