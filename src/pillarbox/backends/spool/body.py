"""Bodies in -D files: written as they arrive when they grow large, read in pieces when they are asked for.

The file's first line is its own name (Exim chapter 57); the lock on it is what says "this message is mine" to every process,
Exim's included.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from pillarbox.mail.message import Body, MemoryBody, count_zeros
from pillarbox.ports.spool import SpoolFull
from pillarbox.system.durable import Disk, remove_file

IN_MEMORY = 256 * 1024
"""Bodies up to this many bytes stay in memory and go through the fast lane."""
_CHUNK = 128 * 1024


class FileBody:
    """A body behind the first line of an open and locked -D file. Readable while the message is held."""

    __slots__ = ("_disk", "_raw_size", "_start", "fd", "is_kept", "is_wire_format", "lines", "size", "zeros")

    def __init__(
        self, disk: Disk, fd: int, start: int, lines: int, *, zeros: int = 0, is_wire_format: bool = False
    ) -> None:
        self._disk = disk
        self._start = start
        self.is_wire_format = is_wire_format
        self._raw_size = max(disk.size(fd) - start, 0)
        self.fd = fd
        self.lines = lines
        self.zeros = zeros
        """Bytes that are 0."""
        self.size = self._raw_size
        self.is_kept = False
        """Accepted: its writer's `discard` does nothing any more."""
        if is_wire_format:
            self.size = sum(map(len, self.chunks()))
            self.lines = sum(chunk.count(b"\n") for chunk in self.chunks())

    def chunks(self) -> Iterator[bytes]:
        pieces = self._pieces()
        return _without_carriage_returns(pieces) if self.is_wire_format else pieces

    def _pieces(self) -> Iterator[bytes]:
        position, end = self._start, self._start + self._raw_size
        while position < end:
            piece = self._disk.pread(self.fd, min(_CHUNK, end - position), position)
            if not piece:
                raise OSError("the -D file has become shorter")
            position += len(piece)
            yield piece


def zeros_of(body: Body) -> int:
    """Bytes that are 0; counted as they came, where the body has been written out."""
    return body.zeros if isinstance(body, FileBody) else count_zeros(body)


def stored(disk: Disk, fd: int, message_id: str, body: Body) -> FileBody:
    """The body in the file that it has been written to."""
    return FileBody(disk, fd, len(first_line(message_id)), body.lines, zeros=zeros_of(body))


def _without_carriage_returns(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """CRLF → LF, also where a pair is cut in two."""
    held = b""
    for piece in pieces:
        text = held + piece
        held = b"\r" if text.endswith(b"\r") else b""
        yield text[: len(text) - len(held)].replace(b"\r\n", b"\n")
    if held:
        yield held


def first_line(message_id: str) -> bytes:
    return b"%b-D\n" % message_id.encode("ascii")


def open_data_file(disk: Disk, path: str, *, create: bool) -> int | None:
    """The descriptor of a -D file, locked; None when another holds the lock. Raises OSError."""
    fd = disk.open(path, os.O_RDWR | (os.O_CREAT if create else 0))
    try:
        if disk.lock(fd):
            return fd
    except OSError:
        disk.close(fd)
        raise
    disk.close(fd)
    return None


class SpoolBodyWriter:
    """Memory up to a threshold, then the message's -D file."""

    __slots__ = (
        "_chunks",
        "_disk",
        "_fd",
        "_in_memory",
        "_kept",
        "_lines",
        "_message_id",
        "_path",
        "_position",
        "_size",
        "_zeros",
    )

    def __init__(self, disk: Disk, path: str, message_id: str, in_memory: int = IN_MEMORY) -> None:
        self._disk = disk
        self._path = path
        self._message_id = message_id
        self._in_memory = in_memory
        self._chunks: list[bytes] = []
        self._size = 0
        self._fd = -1
        self._position = 0
        self._lines = 0
        self._zeros = 0
        self._kept: FileBody | None = None

    def write(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self._size += len(chunk)
        if self._size > (_CHUNK if self._fd >= 0 else self._in_memory):
            self._write_out()

    def finish(self) -> Body:
        if self._fd < 0:
            return MemoryBody(b"".join(self._chunks))
        self._write_out()
        self._kept = FileBody(
            self._disk, self._fd, len(first_line(self._message_id)), self._lines, zeros=self._zeros
        )
        return self._kept

    def discard(self) -> None:
        self._chunks.clear()
        if self._fd >= 0 and not (self._kept and self._kept.is_kept):
            remove_file(self._disk, self._path)
            self._disk.close(self._fd)
        self._fd = -1

    def _write_out(self) -> None:
        """Raises SpoolFull, and the file has gone then."""
        try:
            if self._fd < 0:
                self._begin_file()
            data = b"".join(self._chunks)
            self._disk.pwrite(self._fd, data, self._position)
        except OSError as error:
            self.discard()
            raise SpoolFull(f"cannot write {self._path}: {error}") from error
        self._position += len(data)
        self._lines += data.count(b"\n")
        self._zeros += data.count(b"\0")
        self._chunks.clear()
        self._size = 0

    def _begin_file(self) -> None:
        fd = open_data_file(self._disk, self._path, create=True)
        if fd is None:
            raise OSError("locked by another process")
        self._fd = fd
        line = first_line(self._message_id)
        self._disk.pwrite(fd, line, 0)
        self._position = len(line)
