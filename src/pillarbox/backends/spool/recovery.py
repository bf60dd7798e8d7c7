"""What a slot's journal says after a restart: which messages are neither done nor moved.

Two passes: the first reads every segment in the order of generations and keeps ids, places and events only; the second loads one
message when its turn has come. Replaying twice is harmless: the files are written again from the same record, and nobody
else sees them before MOVED is durable (`parking`).
"""

from __future__ import annotations

import msgspec

from pillarbox.backends.spool.record import Kind, Record, read_records
from pillarbox.backends.spool.segment import SUFFIX, Segment, open_segment, segment_records
from pillarbox.mail.message import MemoryBody, Message
from pillarbox.mail.progress import Event, Progress
from pillarbox.ports.spool import Queued, with_changed_headers
from pillarbox.system.durable import Disk


class Replay:
    """The live messages of one slot. `segments`: ascending generations, their `live` sets filled in."""

    def __init__(self, disk: Disk) -> None:
        self.segments: list[Segment] = []
        self.damage: list[str] = []
        """Records whose checksum is right and whose content is not: what to tell the administrator."""
        self.moved: dict[str, str] = {}
        """Messages that wait elsewhere, whose records are still here; the named queue of each."""
        self._disk = disk
        self._places: dict[str, tuple[Segment, int]] = {}
        self._events: dict[str, list[Event]] = {}

    def scan(self, directory: str) -> None:
        """Blocks for as long as reading the segments takes. Raises OSError."""
        names = sorted(name for name in self._disk.names(directory) if name.endswith(SUFFIX))
        segments = [open_segment(self._disk, f"{directory}/{name}") for name in names]
        self.segments = sorted(filter(self._is_whole, segments), key=lambda segment: segment.generation)
        gone: set[str] = set()
        queues: dict[str, str] = {}
        for segment in self.segments:
            for position, record in segment_records(self._disk, segment):
                try:
                    self._take(segment, position, record, gone, queues)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    self.damage.append(f"{segment.path} at byte {position}: {error}")
        for message_id in gone:
            self._places.pop(message_id, None)
        for message_id, (segment, _) in self._places.items():
            segment.live.add(message_id)

    def _is_whole(self, segment: Segment) -> bool:
        """A segment that was just being made or recycled has nothing that counts, and perhaps not its size: it goes."""
        if segment.generation:
            return True
        self._disk.close(segment.fd)
        self._disk.unlink(segment.path)
        return False

    def _take(
        self, segment: Segment, position: int, record: Record, gone: set[str], queues: dict[str, str]
    ) -> None:
        if record.kind is Kind.MESSAGE:
            envelope = record.envelope()
            self._places[envelope.id] = (segment, position)
            queues[envelope.id] = envelope.queue
            return
        message_id = record.message_id
        if record.kind is Kind.EVENTS:
            self._events.setdefault(message_id, []).extend(record.events())
            return
        gone.add(message_id)
        if record.kind is Kind.MOVED and message_id in queues:
            self.moved[message_id] = queues[message_id]

    @property
    def ids(self) -> list[str]:
        """Live messages, oldest first."""
        return sorted(self._places)

    def load(self, message_id: str) -> tuple[Queued, Segment]:
        """Read one message again. Raises OSError."""
        segment, position = self._places[message_id]
        records = read_records(
            lambda size, at: self._disk.pread(segment.fd, size, at),
            position,
            segment.capacity,
            segment.key,
        )
        _, record = next(records, (0, None))
        if record is None:
            raise OSError(f"{segment.path}: the record of {message_id} cannot be read again")
        events = self._events.get(message_id, [])
        message = with_changed_headers(Message(record.headers, MemoryBody(record.body)), events)
        return Queued(record.envelope(), message, Progress().after(events)), segment
