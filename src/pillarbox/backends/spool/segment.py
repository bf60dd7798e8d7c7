"""One file of the fast lane's journal: zero-filled when made, used again and again.

Because every byte has been written before, `fdatasync` of a group has no file metadata to commit. The first sector holds the
generation, a number that grows with each use in a slot, and the random key of its records. It is durable before the first record of
that generation is written; until then the old generation rules, all of whose messages were done or moved.
"""

from __future__ import annotations

import errno
import os
import secrets
import struct
import zlib
from collections.abc import Iterator

from pillarbox.backends.spool.record import SECTOR, Record, read_records
from pillarbox.system.durable import Disk, remove_file

_HEAD = struct.Struct("<8sQQ")
_CHECKSUM = struct.Struct("<I")
_MAGIC = b"PLBXSEG1"
SUFFIX = ".segment"
SMALLEST = 1 << 20
"""When there is little room, segments are made smaller, down to this."""


class Segment:
    """`live`: ids of messages in it that are neither done nor moved."""

    __slots__ = ("capacity", "fd", "generation", "is_broken", "key", "live", "path", "position")

    def __init__(self, path: str, fd: int, capacity: int) -> None:
        self.path = path
        self.fd = fd
        self.capacity = capacity
        self.generation = 0
        self.key = 0
        self.position = SECTOR
        self.live: set[str] = set()
        self.is_broken = False
        """A write or sync has failed: nothing more is put into it."""

    def has_room(self, size: int, *, is_mark: bool) -> bool:
        """The last eighth is for marks."""
        end = self.capacity if is_mark else self.capacity - self.capacity // 8
        return not self.is_broken and self.position + size <= end


def create_segment(disk: Disk, path: str, size: int) -> Segment:
    """A new zero-filled file, durable with its name. Raises OSError, nothing left behind."""
    fd = disk.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    try:
        capacity = _allocate(disk, fd, size)
        disk.sync_directory(os.path.dirname(path))
    except OSError:
        disk.close(fd)
        remove_file(disk, path)
        raise
    return Segment(path, fd, capacity)


def _allocate(disk: Disk, fd: int, size: int) -> int:
    """Smaller rather than more than a quarter of what is free: the waiting room needs space too. The size made."""
    free = disk.free_space(fd)
    while size > free // 4:
        size //= 2
        if size < SMALLEST:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    disk.allocate(fd, size)
    return size


def open_segment(disk: Disk, path: str) -> Segment:
    """One that exists; `generation` 0 when its head is not whole (it was being made or recycled: nothing in it counts)."""
    fd = disk.open(path, os.O_RDWR)
    segment = Segment(path, fd, disk.size(fd))
    head = disk.pread(fd, _HEAD.size + _CHECKSUM.size, 0)
    if len(head) == _HEAD.size + _CHECKSUM.size:
        magic, generation, key = _HEAD.unpack_from(head)
        if magic == _MAGIC and _CHECKSUM.unpack_from(head, _HEAD.size)[0] == zlib.crc32(head[: _HEAD.size]):
            segment.generation, segment.key = generation, key
    return segment


def begin_generation(disk: Disk, segment: Segment, generation: int) -> None:
    """Empty the segment for its next use. Blocks for a sync; raises OSError."""
    key = secrets.randbits(64)
    head = _HEAD.pack(_MAGIC, generation, key)
    disk.pwrite(segment.fd, head + _CHECKSUM.pack(zlib.crc32(head)), 0)
    disk.fdatasync(segment.fd)
    segment.generation, segment.key = generation, key
    segment.position = SECTOR
    segment.live = set()


def segment_records(disk: Disk, segment: Segment) -> Iterator[tuple[int, Record]]:
    """(position, record) of the segment's generation, in order."""
    if segment.generation:
        yield from read_records(
            lambda size, position: disk.pread(segment.fd, size, position),
            SECTOR,
            segment.capacity,
            segment.key,
        )
