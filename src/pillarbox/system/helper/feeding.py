"""Both ends of a command's pipes, on the loop: its input is written as it takes it, its output read up to a limit."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

_READ = 1 << 16


class Feed:
    """Writes chunks to a descriptor that it owns. `done` is settled with an errno, 0 when all was taken."""

    __slots__ = ("_chunks", "_fd", "_loop", "_rest", "done")

    def __init__(self, fd: int, chunks: Iterable[bytes]) -> None:
        self._loop = asyncio.get_running_loop()
        self._fd = fd
        self._chunks: Iterator[bytes] = iter(chunks)
        self._rest = memoryview(b"")
        self.done: asyncio.Future[int] = self._loop.create_future()
        os.set_blocking(fd, False)
        self._loop.add_writer(fd, self._write)

    def _write(self) -> None:
        try:
            while True:
                while not self._rest:
                    self._rest = memoryview(next(self._chunks))
                self._rest = self._rest[os.write(self._fd, self._rest) :]
        except StopIteration:
            self.stop(0)
        except BlockingIOError:
            return
        except OSError as error:
            self.stop(error.errno or 5)

    def stop(self, code: int) -> None:
        """Close our end; safe to call again."""
        if self.done.done():
            return
        self._loop.remove_writer(self._fd)
        os.close(self._fd)
        self.done.set_result(code)


class Gathering:
    """Reads a descriptor that it owns to its end. `too_much` is called once when more than `limit` bytes came."""

    __slots__ = ("_fd", "_limit", "_loop", "_pieces", "_size", "_too_much", "done", "is_full")

    def __init__(self, fd: int, limit: int, too_much: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._fd = fd
        self._limit = limit
        self._too_much = too_much
        self._pieces: list[bytes] = []
        self._size = 0
        self.is_full = False
        self.done: asyncio.Future[None] = self._loop.create_future()
        os.set_blocking(fd, False)
        self._loop.add_reader(fd, self._read)

    @property
    def data(self) -> bytes:
        return b"".join(self._pieces)[: self._limit]

    def _read(self) -> None:
        piece = b""
        with suppress(OSError):
            try:
                piece = os.read(self._fd, _READ)
            except BlockingIOError:
                return
        if not piece:
            self.stop()
        elif self._limit > 0:
            self._take(piece)

    def _take(self, piece: bytes) -> None:
        if self.is_full:
            return
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > self._limit:
            self.is_full = True
            self._too_much()

    def stop(self) -> None:
        """Close our end; safe to call again."""
        if self.done.done():
            return
        self._loop.remove_reader(self._fd)
        os.close(self._fd)
        self.done.set_result(None)
