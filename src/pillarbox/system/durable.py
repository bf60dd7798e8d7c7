"""Durable writes: the one module through which everything that must survive a power cut goes to disk.

The rules it keeps: data is synced before it is renamed into place; a rename counts only when its directory has been synced; a failed
sync is never tried again on the same file (Linux forgets the dirty pages), the caller gives the file up; and no sync runs on
the event loop. Syncs are what costs, so they are shared: `GroupSync` lets overlapping calls wait for one.

`Disk` is the operating system as we need it. Tests put a simulated disk beneath that forgets, tears and reorders what was not synced.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import fcntl
import os
import struct
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Protocol, TypeVar

T = TypeVar("T")

_ZEROS = bytes(1 << 20)
_FLOCK = struct.Struct("hhqqi4x")  # struct flock, 64-bit off_t
_libc = ctypes.CDLL(None, use_errno=True)


class Disk(Protocol):
    """Files as seen by who must not lose data. Every call may raise OSError."""

    def open(self, path: str, flags: int, mode: int = 0o640) -> int: ...

    def close(self, fd: int) -> None: ...

    def pread(self, fd: int, size: int, offset: int) -> bytes: ...

    def pwrite(self, fd: int, data: bytes, offset: int) -> None:
        """All of it."""
        ...

    def pwrite_durable(self, fd: int, data: bytes, offset: int) -> None:
        """All of it, on the disk on return, within a file that is long enough already. Says nothing of earlier writes."""
        ...

    def size(self, fd: int) -> int: ...

    def truncate(self, fd: int, size: int) -> None: ...

    def allocate(self, fd: int, size: int) -> None:
        """Make the file `size` bytes of written zeros, so that later writes change no metadata."""
        ...

    def fdatasync(self, fd: int) -> None:
        """The file's data and size are durable; its name need not be."""
        ...

    def syncfs(self, fd: int) -> None:
        """Everything on the file system that holds `fd` is durable, names too."""
        ...

    def sync_directory(self, path: str) -> None:
        """The names in a directory are durable."""
        ...

    def rename(self, old: str, new: str) -> None: ...

    def unlink(self, path: str) -> None: ...

    def make_directory(self, path: str, mode: int = 0o750) -> None:
        """With its parents; nothing happens when it is there."""
        ...

    def names(self, path: str) -> list[str]:
        """What is in a directory; empty when there is none."""
        ...

    def free_space(self, fd: int) -> int:
        """Bytes that may still be written to the file system of `fd`."""
        ...

    def age_mark(self, fd: int) -> float:
        """When the file was last written, seconds since the epoch."""
        ...

    def lock(self, fd: int) -> bool:
        """Take the file's write lock, as Exim does on -D files; False when another holds it. Closing gives it back."""
        ...


class OsDisk:
    """The real one. Locks belong to the descriptor (F_OFD_SETLK) and exclude fcntl() locks of other programs."""

    __slots__ = ()

    def open(self, path: str, flags: int, mode: int = 0o640) -> int:
        return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, mode)

    def close(self, fd: int) -> None:
        os.close(fd)

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        return os.pread(fd, size, offset)

    def pwrite(self, fd: int, data: bytes, offset: int) -> None:
        written = os.pwrite(fd, data, offset)
        while written < len(data):
            more = os.pwrite(fd, memoryview(data)[written:], offset + written)
            if not more:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            written += more

    def pwrite_durable(self, fd: int, data: bytes, offset: int) -> None:
        written = os.pwritev(fd, [data], offset, os.RWF_DSYNC)
        if written < len(data):
            self.pwrite(fd, data[written:], offset + written)
            os.fdatasync(fd)

    def size(self, fd: int) -> int:
        return os.fstat(fd).st_size

    def truncate(self, fd: int, size: int) -> None:
        os.ftruncate(fd, size)

    def allocate(self, fd: int, size: int) -> None:
        os.posix_fallocate(fd, 0, size)
        for offset in range(0, size, len(_ZEROS)):
            self.pwrite(fd, _ZEROS[: size - offset], offset)
        os.fsync(fd)

    def fdatasync(self, fd: int) -> None:
        os.fdatasync(fd)

    def syncfs(self, fd: int) -> None:
        if _libc.syncfs(fd) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))

    def sync_directory(self, path: str) -> None:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def rename(self, old: str, new: str) -> None:
        os.rename(old, new)

    def unlink(self, path: str) -> None:
        os.unlink(path)

    def make_directory(self, path: str, mode: int = 0o750) -> None:
        os.makedirs(path, mode, exist_ok=True)

    def names(self, path: str) -> list[str]:
        try:
            return os.listdir(path)
        except FileNotFoundError:
            return []

    def free_space(self, fd: int) -> int:
        facts = os.fstatvfs(fd)
        return facts.f_bavail * facts.f_frsize

    def age_mark(self, fd: int) -> float:
        return os.fstat(fd).st_mtime

    def lock(self, fd: int) -> bool:
        try:
            fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                return False
            raise
        return True


def read_file(disk: Disk, path: str, limit: int = 1 << 26) -> bytes:
    """A whole file of at most `limit` bytes. Raises OSError."""
    fd = disk.open(path, os.O_RDONLY)
    try:
        chunks: list[bytes] = []
        offset = 0
        while offset < limit and (chunk := disk.pread(fd, min(1 << 20, limit - offset), offset)):
            chunks.append(chunk)
            offset += len(chunk)
        return b"".join(chunks)
    finally:
        disk.close(fd)


def write_file(disk: Disk, path: str, data: bytes, mode: int = 0o640) -> None:
    """A new file, or a new content for an old one; not durable. On failure nothing is left. Raises OSError."""
    fd = disk.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        disk.pwrite(fd, data, 0)
    except OSError:
        remove_file(disk, path)
        raise
    finally:
        disk.close(fd)


def remove_file(disk: Disk, path: str) -> bool:
    """Unlink; False when it was not there. Not durable."""
    try:
        disk.unlink(path)
    except FileNotFoundError:
        return False
    return True


class WorkThread:
    """One thread that does blocking work in order; cheaper for this than an executor (one queue, one wake-up per piece)."""

    def __init__(self, name: str) -> None:
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Run `work` after everything submitted before; its result or exception comes to the calling loop."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def job() -> None:
            try:
                result = work()
            except BaseException as error:
                _call_in(loop, _fail, future, error)
            else:
                _call_in(loop, _settle, future, result)

        self._queue.put(job)
        return future

    def stop(self) -> None:
        """Finish what was submitted and end the thread. Blocks for that long."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            job()


def _call_in(loop: asyncio.AbstractEventLoop, *call: object) -> None:
    try:
        loop.call_soon_threadsafe(*call)  # type: ignore[arg-type]
    except RuntimeError:
        return  # the loop has been closed: nobody waits any more


def _settle(future: asyncio.Future[T], result: T) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[T], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)


class GroupSync:
    """Shares one sync among calls that overlap.

    A call made while a sync runs waits for the next one, which serves everybody who came in the meantime: what was written before
    the call is durable when it returns.
    """

    def __init__(self, sync: Callable[[], None], thread: WorkThread) -> None:
        self._sync = sync
        self._thread = thread
        self._next: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None

    async def wait(self) -> None:
        """Raises OSError when the sync failed: nothing may be taken for durable then."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        future = self._next
        if self._task is None:
            self._task = asyncio.create_task(self._work())
        await asyncio.shield(future)

    async def _work(self) -> None:
        try:
            while (group := self._next) is not None:
                self._next = None
                try:
                    await self._thread.submit(self._sync)
                except OSError as error:
                    group.set_exception(error)
                    group.exception()  # who waits sees it; a group whose waiters were cancelled must not complain
                else:
                    _settle(group, None)
        finally:
            self._task = None


def file_system_sync(disk: Disk, directory: str) -> Callable[[], None]:
    """A function that makes the whole file system of `directory` durable: for GroupSync."""

    def sync() -> None:
        fd = disk.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            disk.syncfs(fd)
        finally:
            disk.close(fd)

    return sync
