"""The spool: what was accepted is here until its last recipient is settled.

The promise: when `accept` returns, the message survives kill -9 and power loss at any later instruction. The flow sees one kind
of message; whether it lies in the fast lane (a journal, first delivery from memory) or in the waiting room (-H/-D files) is the
back end's business, except that only waiting messages are listed, edited and retried.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, Protocol

import msgspec

from pillarbox.mail.arrival import Arrival
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.message import Body, Message
from pillarbox.mail.progress import Event, HeadersChanged, Progress, SenderChanged


class SpoolFull(Exception):
    """There is no room (or no descriptor) to keep a message: answer 452 4.3.1 and go on. `str()` is for the log."""


Trouble = Literal["data", "header", "format"]


class MessageGone(Exception):
    """No such message, or another process holds its lock (then `is_locked`)."""

    def __init__(self, message_id: str, *, is_locked: bool = False, trouble: Trouble = "data") -> None:
        """`trouble`: the file that is missing, or `format`: -H cannot be read."""
        super().__init__(f"{message_id}: {'being delivered' if is_locked else 'no such message'}")
        self.is_locked = is_locked
        self.trouble: Trouble = trouble
        self.is_removed = False
        """Half a message was there, and `remove` has removed it."""


def with_changed_sender(envelope: Envelope, events: Iterable[Event]) -> Envelope:
    """The envelope once `SenderChanged` has happened to it; itself when it has not."""
    for event in events:
        if isinstance(event, SenderChanged):
            envelope = msgspec.structs.replace(envelope, sender=event.sender or None)
    return envelope


def with_changed_headers(message: Message, events: Iterable[Event]) -> Message:
    """The same for `HeadersChanged`."""
    for event in events:
        if isinstance(event, HeadersChanged):
            message = Message(event.headers, message.body)
    return message


class BodyWriter(Protocol):
    """Collects a body as it arrives: in memory while small, in a file of the spool beyond that."""

    def write(self, chunk: bytes) -> None:
        """LF form. Raises SpoolFull."""
        ...

    def finish(self) -> Body: ...

    def discard(self) -> None:
        """Forget everything; safe to call at any time, also after `finish` when `accept` was not called."""
        ...


class Queued(msgspec.Struct, frozen=True):
    """A message that is held by this process: nobody else delivers or edits it until `release`."""

    envelope: Envelope
    message: Message
    progress: Progress
    arrival: Arrival | None = None
    """Known to the process that took it, where there is something to tell."""

    @property
    def id(self) -> str:
        return self.envelope.id


class QueueEntry(msgspec.Struct, frozen=True, gc=False):
    """One line of `mailq`, cheap to make: for listing a hundred thousand."""

    id: str
    sender: str | None
    recipients: tuple[str, ...]
    settled: frozenset[str]
    size: int
    """-1: the body is not there."""
    received_at: float
    frozen_at: float | None


class Spool(Protocol):
    def new_id(self) -> str:
        """A fresh message id, unique across workers, restarts and clocks that jump back."""
        ...

    def body_writer(self, message_id: str) -> BodyWriter: ...

    async def accept(self, envelope: Envelope, message: Message) -> Queued:
        """Make the message durable; on return the 250 may go out and this process holds it. Raises SpoolFull."""
        ...

    def record(self, message_id: str, events: Iterable[Event]) -> None:
        """Append to the progress of a held message. Not durable until `sync`, `park` or `release`."""
        ...

    async def finish(self, message_id: str) -> None:
        """Every recipient is settled and that is durable: forget the message. Only for held messages."""
        ...

    async def show(self, message_id: str) -> None:
        """Put a held message where `waiting` and `entry` see it, because it takes its time; it stays held. Does what it can, never raises."""
        ...

    async def park(self, message_id: str) -> None:
        """Write a held message to the waiting room, durable with its progress, and release it. Raises SpoolFull (it is then
        still held)."""
        ...

    async def claim(self, message_id: str) -> Queued:
        """Take a waiting message under lock. Raises MessageGone."""
        ...

    async def release(self, message_id: str) -> None:
        """Give a claimed message back, its recorded events durable."""
        ...

    def tell_malformed(self, message_id: str) -> None:
        """A delivery could not read the message: say so in the log, and let go of what has been so for long (`keep_malformed`)."""
        ...

    def waiting(self) -> Iterator[str]:
        """Ids in the waiting room, oldest first; cheap for a hundred thousand."""
        ...

    def entry(self, message_id: str) -> QueueEntry | None:
        """For listings; reads without locking. None when it has just gone."""
        ...

    async def remove(self, message_id: str) -> None:
        """Delete a waiting message (`exim -Mrm`). Raises MessageGone; half a message goes all the same."""
        ...

    async def move(self, message_id: str, directory: str, prefix: str = "") -> None:
        """To the queue below `directory` (`exim -MG`), or to `directory/<prefix>input` (`move_frozen_messages`). Raises MessageGone."""
        ...
