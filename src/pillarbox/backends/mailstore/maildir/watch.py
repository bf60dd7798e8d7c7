"""Waking sessions that wait for a mailbox, by inotify on the directories or the file that it consists of.

Watches are one-shot and set again by the next wait: a flood of deliveries costs one event, not thousands. Their number is bounded;
without one (limit reached, no inotify) the waiting session looks every few seconds instead.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path

from asyncinotify import Inotify, Mask, Watch

_OF_DIRECTORIES = Mask.CREATE | Mask.MOVED_TO | Mask.MOVED_FROM | Mask.DELETE
_OF_FILES = Mask.MODIFY | Mask.MOVE_SELF | Mask.DELETE_SELF
_MASK = _OF_DIRECTORIES | _OF_FILES | Mask.ONESHOT


class Watches:
    """One inotify instance of a process, started with the first wait."""

    def __init__(self, limit: int) -> None:
        """`limit`: mailboxes watched at once."""
        self._limit = limit
        self._inotify: Inotify | None = None
        self._reader: asyncio.Task[None] | None = None
        self._listeners: dict[Path, set[asyncio.Event]] = {}
        self._armed: dict[Path, Watch] = {}

    def listen(self, paths: Sequence[Path], event: asyncio.Event) -> bool:
        """Set `event` once, when something happens in the directories or to the files; False: this cannot be watched, look from time to time."""
        if 2 * self._limit <= len(self._listeners) or not self._start():
            return False
        with contextlib.suppress(OSError):
            for path in paths:
                self._listeners.setdefault(path, set()).add(event)
                self._arm(path)
            return True
        self.forget(paths, event)
        return False

    def forget(self, paths: Sequence[Path], event: asyncio.Event) -> None:
        for path in paths:
            listeners = self._listeners.get(path, set())
            listeners.discard(event)
            if not listeners:
                self._listeners.pop(path, None)
                self._disarm(path)

    def _arm(self, path: Path) -> None:
        if path not in self._armed and self._inotify is not None:
            self._armed[path] = self._inotify.add_watch(path, _MASK)

    def _disarm(self, path: Path) -> None:
        watch = self._armed.pop(path, None)
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

    def _wake(self, paths: list[Path]) -> None:
        for path in paths:
            for listener in self._listeners.get(path, ()):
                listener.set()

    def close(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
        if self._inotify is not None:
            self._inotify.close()
        self._reader = self._inotify = None
