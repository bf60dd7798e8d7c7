"""Waking sessions that wait for a mailbox, by inotify on its `new` and `cur`.

Watches are one-shot and set again by the next wait: a flood of deliveries costs one event, not thousands. Their number is bounded;
without one (limit reached, no inotify) the waiting session looks every few seconds instead.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from asyncinotify import Inotify, Mask, Watch

_MASK = Mask.CREATE | Mask.MOVED_TO | Mask.MOVED_FROM | Mask.DELETE | Mask.ONESHOT


class Watches:
    """One inotify instance of a process, started with the first wait."""

    def __init__(self, limit: int) -> None:
        """`limit`: mailboxes watched at once."""
        self._limit = limit
        self._inotify: Inotify | None = None
        self._reader: asyncio.Task[None] | None = None
        self._listeners: dict[Path, set[asyncio.Event]] = {}
        self._armed: dict[Path, Watch] = {}

    def listen(self, path: bytes, event: asyncio.Event) -> bool:
        """Set `event` once, when something happens in the Maildir; False: this cannot be watched, look from time to time."""
        if 2 * self._limit <= len(self._listeners) or not self._start():
            return False
        with contextlib.suppress(OSError):
            for directory in _directories(path):
                self._listeners.setdefault(directory, set()).add(event)
                self._arm(directory)
            return True
        self.forget(path, event)
        return False

    def forget(self, path: bytes, event: asyncio.Event) -> None:
        for directory in _directories(path):
            listeners = self._listeners.get(directory, set())
            listeners.discard(event)
            if not listeners:
                self._listeners.pop(directory, None)
                self._disarm(directory)

    def _arm(self, directory: Path) -> None:
        if directory not in self._armed and self._inotify is not None:
            self._armed[directory] = self._inotify.add_watch(directory, _MASK)

    def _disarm(self, directory: Path) -> None:
        watch = self._armed.pop(directory, None)
        if watch is not None and self._inotify is not None:
            with contextlib.suppress(OSError):
                self._inotify.rm_watch(watch)

    def _start(self) -> bool:
        if self._inotify is None:
            try:
                self._inotify = Inotify()
            except OSError:
                return False
            self._reader = asyncio.get_running_loop().create_task(self._read(self._inotify))
        return True

    async def _read(self, inotify: Inotify) -> None:
        async for event in inotify:
            if Mask.Q_OVERFLOW in event.mask:
                self._wake(list(self._listeners))
            elif (watch := event.watch) is not None and self._armed.get(watch.path) is watch:
                del self._armed[watch.path]
                self._wake([watch.path])

    def _wake(self, directories: list[Path]) -> None:
        for directory in directories:
            for listener in self._listeners.get(directory, ()):
                listener.set()

    def close(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
        if self._inotify is not None:
            self._inotify.close()
        self._reader = self._inotify = None


def _directories(path: bytes) -> tuple[Path, Path]:
    root = Path(path.decode("utf-8", "surrogateescape"))
    return root / "new", root / "cur"
