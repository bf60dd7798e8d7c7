"""The waiting room: `input/ID-H` and `ID-D`, as an Exim administrator knows them (Exim chapter 57).

A message is there when both files are. Whoever holds the lock on -D may write and remove; -H is only ever replaced by rename, so it
can be read without a lock. -J collects addresses that were settled since -H was written: it survives kill -9, and is
folded in by whoever claims the message next, Exim included. Everything here blocks on small files only; syncing is the caller's.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import msgspec

from pillarbox.backends.spool.body import FileBody, first_line, open_data_file, zeros_of
from pillarbox.mail.message import Body, Message
from pillarbox.mail.progress import Settled
from pillarbox.ports.spool import MessageGone, Queued, QueueEntry
from pillarbox.system.durable import Disk, read_file, remove_file, write_file
from pillarbox.wire.exim.message_id import decode, is_message_id, leading_id
from pillarbox.wire.exim.recipient_line import address_bytes
from pillarbox.wire.exim.spool_header import (
    Owner,
    SpoolFormatError,
    SpoolHeader,
    decode_header,
    encode_header,
)

SUBDIRECTORY = 5
"""The character of an id that names the directory of a split spool: the last one of its time, so that messages spread."""
NEW = "-H.new"
PARKED = "-H.parked"
"""A header that comes to light behind the journal's mark (`parking`)."""
_PARTNERS = {"-D": "-H", "-J": "-H", NEW: "-H", "-H": "-D"}
"""A file without its partner is half a message: not yet accepted, or already finished."""


class WaitingRoom:
    """`directory`: the spool directory, or a named queue's, with `input` and `msglog` in it."""

    def __init__(
        self,
        directory: str,
        disk: Disk,
        owner: Owner,
        *,
        is_split: bool = False,
        finds_both: bool = False,
        prefix: str = "",
        queue: str = "",
    ) -> None:
        """`is_split`: new messages go to one-letter directories. Those of the other layout are found all the same;
        `finds_both`: without looking for them first. `prefix`: of the directories' names. `queue`: its name, for the
        envelopes of what is claimed."""
        self._input = f"{directory}/{prefix}input"
        self._msglog = f"{directory}/{prefix}msglog"
        self._disk = disk
        self._owner = owner
        self._queue = queue
        self._is_split = is_split
        self._has_both = is_split or finds_both
        """Both layouts may have messages; else nothing need be looked for."""

    def make_directories(self) -> None:
        for path in (self._input, self._msglog):
            self._disk.make_directory(path)
        self._has_both = self._is_split or bool(subdirectories(self._disk.names(self._input)))

    def path(self, message_id: str, suffix: str) -> str:
        return f"{self._folder_of(message_id)}/{message_id}{suffix}"

    def _folder_of(self, message_id: str) -> str:
        """Where the message lies; where it would, when it is nowhere."""
        if not self._has_both:
            return self._input
        split = f"{self._input}/{message_id[SUBDIRECTORY]}"
        first, second = (split, self._input) if self._is_split else (self._input, split)
        for folder in (first, second):
            if any(exists(self._disk, f"{folder}/{message_id}{suffix}") for suffix in ("-D", "-H")):
                return folder
        if self._is_split:
            self._disk.make_directory(split)
        return first

    def log_path(self, message_id: str) -> str:
        """Of its own log, in the layout of its files."""
        folder = self._folder_of(message_id) if self._has_both else self._input
        return f"{self._msglog}{folder[len(self._input) :]}/{message_id}"

    # Writing, by the holder

    def write_body(self, message_id: str, body: Body) -> int:
        """Write -D and return its descriptor, locked. On OSError nothing new is left."""
        path = self.path(message_id, "-D")
        fd = open_data_file(self._disk, path, create=True)
        if fd is None:
            raise OSError(f"{path} is locked by another process")
        try:
            self._disk.truncate(fd, 0)
            position = 0
            for chunk in (first_line(message_id), *body.chunks()):
                self._disk.pwrite(fd, chunk, position)
                position += len(chunk)
        except OSError:
            remove_file(self._disk, path)
            self._disk.close(fd)
            raise
        return fd

    def write_header(self, queued: Queued, suffix: str = NEW) -> None:
        """Write the new -H beside the old one: `show_header` puts it in place, once it is durable where that matters."""
        path = self.path(queued.id, suffix)
        write_file(self._disk, path, encode_header(_spool_header(queued), self._owner))

    def show_header(self, message_id: str, suffix: str = NEW) -> None:
        self._disk.rename(self.path(message_id, suffix), self.path(message_id, "-H"))

    def drop_new_header(self, message_id: str) -> None:
        remove_file(self._disk, self.path(message_id, NEW))

    def drop_header(self, message_id: str) -> None:
        """What was never accepted must not be listed."""
        remove_file(self._disk, self.path(message_id, NEW))
        remove_file(self._disk, self.path(message_id, "-H"))

    def note_settled(self, message_id: str, addresses: Iterable[str]) -> None:
        """Append to -J."""
        lines = b"".join(address_bytes(address) + b"\n" for address in addresses)
        if lines:
            fd = self._disk.open(self.path(message_id, "-J"), os.O_WRONLY | os.O_CREAT)
            try:
                self._disk.pwrite(fd, lines, self._disk.size(fd))
            finally:
                self._disk.close(fd)

    def has_journal(self, message_id: str) -> bool:
        return bool(self._journalled(message_id))

    def drop_journal(self, message_id: str) -> None:
        remove_file(self._disk, self.path(message_id, "-J"))

    def remove(self, message_id: str, *, keeps_log: bool = False) -> None:
        """All its files: -H first, so that a half-removed message is not one."""
        folder, log = self._folder_of(message_id), self.log_path(message_id)
        for suffix in ("-H", PARKED, "-J", "-D"):
            remove_file(self._disk, f"{folder}/{message_id}{suffix}")
        if not keeps_log:
            remove_file(self._disk, log)

    # Reading

    def claim(self, message_id: str) -> tuple[Queued, FileBody]:
        """Lock and read; the body keeps the lock. Raises MessageGone, SpoolFormatError, OSError."""
        if not is_message_id(message_id):
            raise MessageGone(message_id)
        try:
            fd = open_data_file(self._disk, self.path(message_id, "-D"), create=False)
        except FileNotFoundError:
            raise MessageGone(message_id) from None
        if fd is None:
            raise MessageGone(message_id, is_locked=True)
        try:
            return self._read_locked(message_id, fd)
        except BaseException:
            self._disk.close(fd)
            raise

    def _read_locked(self, message_id: str, fd: int) -> tuple[Queued, FileBody]:
        header = self.read_header(message_id)
        if header is None:
            raise MessageGone(message_id, trouble="header")
        start = len(first_line(message_id))
        if self._disk.pread(fd, start, 0) != first_line(message_id):
            raise SpoolFormatError(f"{self.path(message_id, '-D')}:1: the first line is not the file's name")
        body = FileBody(
            self._disk,
            fd,
            start,
            header.body_lines,
            zeros=header.body_zeros,
            is_wire_format=header.is_wire_format,
        )
        progress = header.progress.after(self._journalled(message_id))
        envelope = header.envelope
        if self._queue:
            envelope = msgspec.structs.replace(envelope, queue=self._queue)
        return Queued(envelope, Message(header.headers, body), progress), body

    def read_header(self, message_id: str) -> SpoolHeader | None:
        path = self.path(message_id, "-H")
        try:
            header = decode_header(read_file(self._disk, path), path)
        except FileNotFoundError:
            return None
        if header.envelope.id != message_id:
            raise SpoolFormatError(f"{path}:1: the first line is not the file's name")
        return header

    def _journalled(self, message_id: str) -> list[Settled]:
        try:
            data = read_file(self._disk, self.path(message_id, "-J"))
        except FileNotFoundError:
            return []
        whole, _, _ = data.rpartition(b"\n")
        lines = whole.split(b"\n") if whole else []
        # What a power cut has torn holds NULs: it says nothing, and the delivery is repeated.
        return [
            Settled(line.decode("utf-8", "surrogateescape"), 0.0)
            for line in lines
            if line and b"\0" not in line
        ]

    def ids(self) -> list[str]:
        """Messages with an -H, oldest first; from names alone."""
        names = self._disk.names(self._input)
        for letter in subdirectories(names):
            names.extend(self._disk.names(f"{self._input}/{letter}"))
            self._has_both = True
        found = sorted(name[:-2] for name in names if name[-2:] == "-H")
        return [message_id for message_id in found if is_message_id(message_id)]

    def move(self, message_id: str, to: WaitingRoom) -> None:
        """A message whose lock we hold, to another queue: -H last, so that it is in one of them as a whole."""
        to.make_directories()
        folder, log = self._folder_of(message_id), self.log_path(message_id)
        there = to._folder_of(message_id)
        there_log = f"{to._msglog}{there[len(to._input) :]}/{message_id}"
        if there != to._input:
            to._disk.make_directory(os.path.dirname(there_log))
        for old, new in (
            *(
                (f"{folder}/{message_id}{suffix}", f"{there}/{message_id}{suffix}")
                for suffix in ("-D", "-J", "-H")
            ),
            (log, there_log),
        ):
            try:
                self._disk.rename(old, new)
            except FileNotFoundError:
                continue

    def move_body(self, message_id: str, to: WaitingRoom) -> None:
        """A -D that was begun here, before it was known where the message goes. Raises OSError."""
        if to is not self:
            self._disk.rename(self.path(message_id, "-D"), to.path(message_id, "-D"))

    def entry(self, message_id: str) -> QueueEntry | None:
        """Raises SpoolFormatError."""
        if not is_message_id(message_id):
            return None
        header = self.read_header(message_id)
        if header is None:
            return None
        size = self._data_size(message_id)
        envelope = header.envelope
        progress = header.progress.after(self._journalled(message_id))
        return QueueEntry(
            message_id,
            envelope.sender,
            (*(recipient.address for recipient in envelope.recipients), *progress.added),
            progress.settled,
            -1 if size is None else len(header.headers) + 1 + size,
            envelope.received_at,
            progress.frozen_at,
        )

    def _data_size(self, message_id: str) -> int | None:
        try:
            fd = self._disk.open(self.path(message_id, "-D"), os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            return max(self._disk.size(fd) - len(first_line(message_id)), 0)
        finally:
            self._disk.close(fd)

    def remove_old(self, message_id: str, before: float) -> bool:
        """A message that cannot be read goes when its id is of before that time; whether it did."""
        is_old = decode(message_id).time < before
        if is_old:
            self.remove(message_id)
        return is_old

    def header_size(self, message_id: str) -> int:
        try:
            return len(read_file(self._disk, self.path(message_id, "-H")))
        except OSError:
            return 0

    def has_any(self, message_id: str) -> bool:
        return is_message_id(message_id) and any(
            exists(self._disk, self.path(message_id, suffix)) for suffix in ("-H", "-D")
        )

    # Leftovers

    def remove_leftovers(self, older_than: float) -> list[str]:
        """Delete halves of messages, as crashes leave them, when not locked and last written before that time. Their names."""
        names = set(self._disk.names(self._input))
        removed: list[str] = []
        for name in sorted(names):
            message_id = leading_id(name)
            partner = _PARTNERS.get(name[len(message_id) :]) if message_id else None
            if partner is None or message_id + partner in names:
                continue
            if message_id + PARKED in names:  # of a journal that nobody has replayed yet
                continue
            if self._remove_leftover(f"{self._input}/{name}", older_than):
                removed.append(name)
        return removed

    def _remove_leftover(self, path: str, older_than: float) -> bool:
        try:
            fd = open_data_file(self._disk, path, create=False)
        except OSError:
            return False
        if fd is None:
            return False
        try:
            return self._disk.age_mark(fd) < older_than and remove_file(self._disk, path)
        finally:
            self._disk.close(fd)


def subdirectories(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if len(name) == 1 and name.isascii() and name.isalnum())


def exists(disk: Disk, path: str) -> bool:
    try:
        disk.close(disk.open(path, os.O_RDONLY))
    except OSError:
        return False
    return True


def _spool_header(queued: Queued) -> SpoolHeader:
    body = queued.message.body
    return SpoolHeader(
        envelope=queued.envelope,
        progress=queued.progress,
        headers=queued.message.headers,
        body_lines=body.lines,
        body_zeros=zeros_of(body),
        is_wire_format=isinstance(body, FileBody) and body.is_wire_format,
    )
