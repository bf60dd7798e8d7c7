"""The waiting rooms of a spool: the usual one, and one below it for each named queue (Exim 50.1)."""

from __future__ import annotations

import os
import pwd

from pillarbox.backends.spool.waiting import WaitingRoom
from pillarbox.system.durable import Disk
from pillarbox.wire.exim.spool_header import Owner


class Rooms:
    def __init__(self, directory: str, disk: Disk, *, is_split: bool) -> None:
        """`is_split`: new messages wait in one-letter directories."""
        self._directory = directory
        self._disk = disk
        self._owner = _owner()
        self._is_split = is_split
        self._known: dict[str, WaitingRoom] = {}

    def first(self, queue: str) -> WaitingRoom:
        """The room that the spool looks at; its directories are made at the start."""
        room = self._known[queue] = self._new(queue)
        return room

    def of(self, queue: str) -> WaitingRoom:
        """With its directories. Raises OSError."""
        room = self._known.get(queue)
        if room is None:
            room = self._known[queue] = self._new(queue)
            room.make_directories()
        return room

    def at(self, directory: str, prefix: str) -> WaitingRoom:
        """Somewhere else, for messages that are moved there."""
        return WaitingRoom(directory, self._disk, self._owner, is_split=self._is_split, prefix=prefix)

    def place_of(self, queue: str) -> str:
        return f"{self._directory}/{queue}" if queue else self._directory

    def _new(self, queue: str) -> WaitingRoom:
        return WaitingRoom(
            self.place_of(queue), self._disk, self._owner, is_split=self._is_split, queue=queue
        )


def _owner() -> Owner:
    uid = os.geteuid()
    try:
        login = pwd.getpwuid(uid).pw_name
    except KeyError:
        login = str(uid)
    return Owner(login, uid, os.getegid())
