"""Looking at the waiting room from outside: for `mailq` and `exim -Mv…`, without the worker's journal, locks or loop."""

from __future__ import annotations

import os
from pathlib import Path

from pillarbox.backends.spool.waiting import WaitingRoom
from pillarbox.ports.spool import QueueEntry
from pillarbox.system.durable import OsDisk
from pillarbox.wire.exim.message_id import is_message_id
from pillarbox.wire.exim.spool_header import Owner


class QueueReader:
    """Reads what lies in the spool `directory` at this moment. Raises PermissionError where we may not look."""

    def __init__(self, directory: str) -> None:
        self._directory = Path(directory)
        self._room = WaitingRoom(directory, OsDisk(), Owner("", os.geteuid(), os.getegid()), finds_both=True)

    def ids(self) -> list[str]:
        """Oldest first; empty when there is no queue yet."""
        try:
            return self._room.ids()
        except FileNotFoundError:
            return []

    def entry(self, message_id: str) -> QueueEntry | None:
        """None when it has just gone. Raises SpoolFormatError for a file that is not a header file."""
        return self._room.entry(message_id)

    def size(self, message_id: str, suffix: str) -> int:
        """Bytes of one of the message's files; 0: it is not there."""
        try:
            return os.stat(self._room.path(message_id, suffix)).st_size
        except OSError:
            return 0

    def read_part(self, message_id: str, part: str) -> bytes | None:
        """`headers`: the -H file, `body`: the -D file, `copy`: the message, `log`: its own log. None: no such file."""
        if not is_message_id(message_id):
            return None
        try:
            match part:
                case "headers":
                    return Path(self._room.path(message_id, "-H")).read_bytes()
                case "body":
                    return Path(self._room.path(message_id, "-D")).read_bytes()
                case "log":
                    return Path(self._room.log_path(message_id)).read_bytes()
                case _:
                    return self._copy(message_id)
        except FileNotFoundError:
            return None

    def _copy(self, message_id: str) -> bytes | None:
        header = self._room.read_header(message_id)
        if header is None:
            return None
        body = Path(self._room.path(message_id, "-D")).read_bytes().partition(b"\n")[2]
        return header.headers + b"\n" + body
