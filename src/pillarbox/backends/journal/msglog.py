"""Message logs: `msglog/ID` for every waiting message, shown by `exim -Mvl` (Exim chapter 53.16).

Most messages are delivered within a second and would have their log for as long. So lines gather in memory, and reach a file only when
the message is in the waiting room by then (its -D file is there); with a message's files its log is removed, by the spool.
Only the latest messages and lines are remembered.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from contextlib import suppress
from typing import NamedTuple

AGE = 1.0
"""Seconds until a message is looked for in the waiting room."""
FORGET_AFTER = 30.0
MAX_MESSAGES = 20_000
MAX_LINES = 200


class _Pending:
    __slots__ = ("lines", "queue", "since")

    def __init__(self, since: float, queue: str) -> None:
        self.since = since
        self.queue = queue
        self.lines: list[str] = []


class MessageLogHabits(NamedTuple):
    are_kept: bool = True
    """`message_logs`."""
    is_split: bool = False
    are_preserved: bool = False
    """`preserve_message_logs`: in `msglog.OLD`, once the message has left."""


USUAL_HABITS = MessageLogHabits()


class MessageLogs:
    """`directory`: the spool directory."""

    def __init__(self, directory: str, habits: MessageLogHabits = USUAL_HABITS) -> None:
        self._is_split = habits.is_split
        self._are_preserved = habits.are_preserved
        self._directory = directory
        self._pending: OrderedDict[str, _Pending] = OrderedDict()

    def add(self, message_id: str, line: str, now: float, *, is_first: bool = False, queue: str = "") -> None:
        """`line` with its time stamp; `now` in monotonic seconds. `is_first`: it stands before what has gathered.
        `queue`: its name, of the message."""
        pending = self._pending.get(message_id)
        if pending is None:
            pending = self._pending[message_id] = _Pending(now, queue)
            if len(self._pending) > MAX_MESSAGES:
                self._pending.popitem(last=False)
        if len(pending.lines) < MAX_LINES:
            pending.lines.insert(0 if is_first else len(pending.lines), line)

    @property
    def is_empty(self) -> bool:
        return not self._pending

    def write_out(self, now: float, *, everything: bool = False) -> None:
        """Append the lines of waiting messages; forget those of messages that never came to wait. Never raises."""
        for message_id, pending in tuple(self._pending.items()):
            if now - pending.since < AGE and not everything:
                break
            place = f"{self._directory}/{pending.queue}" if pending.queue else self._directory
            folder = self._folder_of(message_id, place)
            if folder is not None:
                self._append(folder, message_id, pending.lines)
                del self._pending[message_id]
            elif now - pending.since > FORGET_AFTER:
                del self._pending[message_id]

    def set_aside(self, message_id: str, queue: str) -> None:
        """To `msglog.OLD`, with what has not been written yet. Never raises."""
        if not self._are_preserved:
            return
        pending = self._pending.pop(message_id, None)
        place = f"{self._directory}/{queue}" if queue else self._directory
        old = f"{place}/msglog.OLD"
        for folder in ("", f"/{message_id[5]}"):
            with suppress(OSError):
                os.makedirs(old, 0o750, exist_ok=True)
                os.rename(f"{place}/msglog{folder}/{message_id}", f"{old}/{message_id}")
        if pending is not None:
            self._append(old, message_id, pending.lines)

    def _folder_of(self, message_id: str, place: str) -> str | None:
        """Of the log of a waiting message, which may lie in a split spool, or among the frozen ones (`move_frozen_messages`)."""
        letter = f"/{message_id[5]}"
        folders = (letter, "") if self._is_split else ("", letter)
        for prefix, folder in ((prefix, folder) for prefix in ("", "F") for folder in folders):
            if os.path.exists(f"{place}/{prefix}input{folder}/{message_id}-D"):
                return f"{place}/{prefix}msglog{folder}"
        return None

    def _append(self, directory: str, message_id: str, lines: list[str]) -> None:
        data = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            fd = self._open(directory, message_id, flags)
        except OSError:
            return
        try:
            os.write(fd, data)
        except OSError:
            return  # the disk is full: the main log says so
        finally:
            os.close(fd)

    def _open(self, directory: str, message_id: str, flags: int) -> int:
        """Raises OSError."""
        try:
            return os.open(f"{directory}/{message_id}", flags, 0o640)
        except FileNotFoundError:
            if not os.path.exists(self._directory):
                raise
        os.makedirs(directory, 0o750, exist_ok=True)
        return os.open(f"{directory}/{message_id}", flags, 0o640)
