"""A spool in memory: for tests, simulations and `-bh`. Nothing survives the process.

It keeps the port's rules (who holds what, what may be claimed, when it is full) exactly as the local spool does, so that a test
which passes here means something.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from pillarbox.mail.envelope import Envelope
from pillarbox.mail.message import Body, MemoryBody, Message
from pillarbox.mail.progress import Event, Progress
from pillarbox.ports.clock import Clock
from pillarbox.ports.spool import (
    BodyWriter,
    MessageGone,
    Queued,
    QueueEntry,
    SpoolFull,
    with_changed_headers,
    with_changed_sender,
)
from pillarbox.wire.exim.message_id import MessageIds


class MemoryBodyWriter:
    """Collects chunks in a list."""

    __slots__ = ("_chunks", "_has_room")

    def __init__(self, has_room: Callable[[int], bool]) -> None:
        self._chunks: list[bytes] = []
        self._has_room = has_room

    def write(self, chunk: bytes) -> None:
        if not self._has_room(sum(map(len, self._chunks)) + len(chunk)):
            raise SpoolFull("no room in the memory spool")
        self._chunks.append(chunk)

    def finish(self) -> Body:
        return MemoryBody(b"".join(self._chunks))

    def discard(self) -> None:
        self._chunks.clear()


class MemorySpool:
    """`capacity`: bytes of messages that may be kept (headers and bodies)."""

    def __init__(self, clock: Clock, *, capacity: int = 1 << 30) -> None:
        self.capacity = capacity
        self._ids = MessageIds(clock.now, run=0)
        self._used = 0
        self._messages: dict[str, Queued] = {}
        self._held: set[str] = set()
        self._waiting: set[str] = set()
        """Parked at least once: these are listed, also while claimed."""

    def new_id(self) -> str:
        return self._ids.new()

    def body_writer(self, message_id: str) -> BodyWriter:
        return MemoryBodyWriter(self._has_room)

    async def accept(self, envelope: Envelope, message: Message) -> Queued:
        if not self._has_room(message.size):
            raise SpoolFull("no room in the memory spool")
        queued = Queued(envelope, message, Progress())
        self._messages[envelope.id] = queued
        self._held.add(envelope.id)
        self._used += message.size
        return queued

    def record(self, message_id: str, events: Iterable[Event]) -> None:
        held, events = self._held_message(message_id), list(events)
        envelope = with_changed_sender(held.envelope, events)
        message = with_changed_headers(held.message, events)
        self._messages[message_id] = Queued(envelope, message, held.progress.after(events))

    async def finish(self, message_id: str) -> None:
        self._used -= self._held_message(message_id).message.size
        del self._messages[message_id]
        self._held.discard(message_id)
        self._waiting.discard(message_id)

    async def show(self, message_id: str) -> None:
        if message_id in self._held:
            self._waiting.add(message_id)

    async def park(self, message_id: str) -> None:
        self._held_message(message_id)
        self._held.discard(message_id)
        self._waiting.add(message_id)

    async def claim(self, message_id: str) -> Queued:
        if message_id in self._held:
            raise MessageGone(message_id, is_locked=True)
        queued = self._messages.get(message_id)
        if queued is None:
            raise MessageGone(message_id)
        self._held.add(message_id)
        return queued

    async def release(self, message_id: str) -> None:
        await self.park(message_id)

    def tell_malformed(self, message_id: str) -> None:
        """There are no files here that could be."""

    def waiting(self) -> Iterator[str]:
        yield from sorted(self._waiting)

    def entry(self, message_id: str) -> QueueEntry | None:
        return entry_of(self._messages[message_id]) if message_id in self._waiting else None

    async def remove(self, message_id: str) -> None:
        await self.claim(message_id)
        await self.finish(message_id)

    async def move(self, message_id: str, directory: str, prefix: str = "") -> None:
        """There is only one queue in memory: the message goes out of sight."""
        await self.remove(message_id)

    def _has_room(self, size: int) -> bool:
        return self._used + size <= self.capacity

    def _held_message(self, message_id: str) -> Queued:
        if message_id not in self._held:
            raise MessageGone(message_id)
        return self._messages[message_id]


def entry_of(queued: Queued) -> QueueEntry:
    """The `mailq` line of a message."""
    envelope, progress = queued.envelope, queued.progress
    return QueueEntry(
        envelope.id,
        envelope.sender,
        tuple(dict.fromkeys((*(r.address for r in envelope.recipients), *progress.added))),
        progress.settled,
        queued.message.size,
        envelope.received_at,
        progress.frozen_at,
    )
