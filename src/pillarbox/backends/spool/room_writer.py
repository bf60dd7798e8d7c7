"""Files for the waiting room: -H and -D of large messages, of those that leave the journal, and the -H of what has changed.

A -H gets its name when it and its -D are durable, so whoever finds one finds a whole message. What cannot be written leaves nothing behind.
"""

from __future__ import annotations

from pillarbox.backends.spool.body import FileBody, stored
from pillarbox.backends.spool.rooms import Rooms
from pillarbox.backends.spool.waiting import PARKED, WaitingRoom
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.message import Message
from pillarbox.mail.progress import Progress
from pillarbox.ports.spool import Queued, SpoolFull
from pillarbox.system.durable import Disk, GroupSync, WorkThread


class RoomWriter:
    """For all queues of a spool. All of it raises SpoolFull."""

    __slots__ = ("_disk", "_files", "_rooms", "_sync")

    def __init__(self, rooms: Rooms, disk: Disk, files: WorkThread, sync: GroupSync) -> None:
        self._rooms = rooms
        self._disk = disk
        self._files = files
        self._sync = sync

    async def begin(
        self, envelope: Envelope, message: Message, written_in: WaitingRoom
    ) -> tuple[Queued, FileBody]:
        """A message that was never in the journal, durable, and its locked -D. `written_in`: where a body that is a file lies so far."""
        room, body = self._rooms.of(envelope.queue), message.body
        is_ours = not isinstance(body, FileBody)
        try:
            if isinstance(body, FileBody):
                data = body
                written_in.move_body(envelope.id, room)
            else:
                data = await self._write_body(room, envelope.id, message)
            queued = Queued(envelope, Message(message.headers, data), Progress())
            try:
                await self._write_header(room, queued)
            except BaseException:
                room.drop_header(envelope.id)
                if is_ours:
                    self._disk.unlink(room.path(envelope.id, "-D"))
                    self._disk.close(data.fd)
                raise
        except OSError as error:
            raise SpoolFull(f"cannot write {envelope.id}: {error}") from error
        data.is_kept = True
        return queued, data

    async def prepare(self, queued: Queued) -> int:
        """The files of a message in the journal; the descriptor of the locked -D. Nothing is durable yet, and -H is `PARKED`."""
        room = self._rooms.of(queued.envelope.queue)

        def write() -> int:
            fd = room.write_body(queued.id, queued.message.body)
            try:
                room.write_header(queued, PARKED)
            except BaseException:
                room.remove(queued.id)
                self._disk.close(fd)
                raise
            return fd

        try:
            return await self._files.submit(write)
        except OSError as error:
            raise SpoolFull(f"cannot write {queued.id}: {error}") from error

    async def rewrite(self, queued: Queued) -> None:
        """A new -H, durable."""
        room = self._rooms.of(queued.envelope.queue)
        try:
            await self._write_header(room, queued)
        except OSError as error:
            room.drop_new_header(queued.id)
            raise SpoolFull(f"cannot write {queued.id}: {error}") from error

    async def _write_header(self, room: WaitingRoom, queued: Queued) -> None:
        await self._files.submit(lambda: room.write_header(queued))
        await self._sync.wait()
        room.show_header(queued.id)
        await self._sync.wait()

    async def _write_body(self, room: WaitingRoom, message_id: str, message: Message) -> FileBody:
        fd = await self._files.submit(lambda: room.write_body(message_id, message.body))
        return stored(self._disk, fd, message_id, message.body)
