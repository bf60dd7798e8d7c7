"""Files read once and kept, in whatever form a lookup type makes of them, until they change (Exim 9.8).

Whether a file has changed (device, inode, time, size) is asked of the file system at most once a second. At most `lookup_open_max`
files are kept, the least recently used goes first. Reading happens in a thread.
Bounded: size of a file.
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from pillarbox.ports.clock import Clock
from pillarbox.ports.lookups import LookupNotOpened

T = TypeVar("T")

MAX_FILE = 256 * 1024 * 1024
RECHECK_AFTER = 1.0
"""Seconds."""

Signature = tuple[int, int, int, int]


class _Kept(Generic[T]):
    __slots__ = ("checked_at", "form", "signature")

    def __init__(self, signature: Signature, form: T, checked_at: float) -> None:
        self.signature = signature
        self.form = form
        self.checked_at = checked_at
        """Monotonic seconds."""


class KeptFiles(Generic[T]):
    """`read` makes the form from a file opened for reading; it runs in a thread and may raise OSError or a lookup's exceptions.

    `irregular` and `purpose` are for messages: `{source} is not a regular file (lsearch lookup)`, `failed to open /x for linear search: …`.
    """

    def __init__(
        self,
        clock: Clock,
        read: Callable[[int, str], T],
        *,
        purpose: str,
        irregular: str = "{source} is not a regular file",
        limit: int = 25,
    ) -> None:
        self._monotonic = clock.monotonic
        self._read = read
        self._irregular = irregular
        self._purpose = purpose
        self._limit = max(1, limit)
        self._kept: OrderedDict[str, _Kept[T]] = OrderedDict()
        self._reading: dict[str, asyncio.Future[T]] = {}
        """One reading for all who wait for the file."""

    def now(self, source: str) -> T:
        """Raises BlockingIOError when the file must be read, LookupNotOpened when it is gone."""
        kept = self._kept.get(source)
        if kept is None:
            raise BlockingIOError
        now = self._monotonic()
        if now - kept.checked_at > RECHECK_AFTER:
            if self._signature(source) != kept.signature:
                raise BlockingIOError
            kept.checked_at = now
            self._kept.move_to_end(source)
        return kept.form

    async def get(self, source: str) -> T:
        """Raises LookupNotOpened, and what `read` raises."""
        try:
            return self.now(source)
        except BlockingIOError:
            pass
        reading = self._reading.get(source)
        if reading is None or reading.done() or reading.get_loop() is not asyncio.get_running_loop():
            reading = self._reading[source] = asyncio.ensure_future(self._load(source))
            reading.add_done_callback(lambda done: self._forget(source, done))
        return await asyncio.shield(reading)

    async def _load(self, source: str) -> T:
        signature, form = await asyncio.to_thread(self._open, source)
        self._kept[source] = _Kept(signature, form, self._monotonic())
        self._kept.move_to_end(source)
        if len(self._kept) > self._limit:
            self._kept.popitem(last=False)
        return form

    def _forget(self, source: str, done: asyncio.Future[T]) -> None:
        if self._reading.get(source) is done:
            del self._reading[source]
        if not done.cancelled():
            done.exception()  # whoever asked has it, or has gone

    def _open(self, source: str) -> tuple[Signature, T]:
        try:
            descriptor = os.open(
                source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
            )  # a named pipe must not hold us up
        except (OSError, ValueError) as error:
            raise not_opened(source, self._purpose, error) from None
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise LookupNotOpened(self._irregular.replace("{source}", source))
            if status.st_size > MAX_FILE:
                raise LookupNotOpened(f"{source} is larger than {MAX_FILE} bytes")
            return _signature_of(status), self._read(descriptor, source)
        except OSError as error:
            raise not_opened(source, self._purpose, error) from None
        finally:
            os.close(descriptor)

    def _signature(self, source: str) -> Signature:
        try:
            return _signature_of(os.stat(source))
        except OSError as error:
            del self._kept[source]
            raise not_opened(source, self._purpose, error) from None


def read_text(descriptor: int, source: str) -> str:
    """The whole file; bytes that are not UTF-8 become surrogates."""
    with os.fdopen(os.dup(descriptor), "rb") as file:
        return file.read(MAX_FILE).decode("utf-8", "surrogateescape")


def not_opened(source: str, purpose: str, error: OSError | ValueError) -> LookupNotOpened:
    """In Exim's words."""
    if isinstance(error, ValueError):
        return LookupNotOpened(f"failed to open {source!r} {purpose}: not a file name")
    reason = error.strerror or str(error)
    if error.errno == errno.EACCES:
        reason += f" (euid={os.geteuid()} egid={os.getegid()})"
    return LookupNotOpened(f"failed to open {source} {purpose}: {reason}")


def _signature_of(status: os.stat_result) -> Signature:
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size
