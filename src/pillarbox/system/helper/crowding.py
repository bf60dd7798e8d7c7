"""One user's processes do not keep the others from their mail.

A process that serves a user's mail is the user's, who may stop it with a signal: then it does not end with its channel. When there is no
place for another, the user with most of them loses all but the newest few, which are more than the sessions of all workers need.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from contextlib import suppress

MOST_OF_ONE = 32


def make_room(processes: Iterable[int], most: int = MOST_OF_ONE) -> None:
    """`processes`: our children, oldest first. Those that must go are killed, not waited for."""
    of_users: dict[int, list[int]] = {}
    for process in processes:
        with suppress(OSError):
            of_users.setdefault(_user_of(process), []).append(process)
    crowd = max(of_users.values(), key=len, default=[])
    for process in crowd[: max(0, len(crowd) - most)]:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def _user_of(process: int) -> int:
    """The real one; the owner of its /proc files is root, since it has changed its ids. Raises OSError."""
    with open(f"/proc/{process}/status", encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith("Uid:"):
                return int(line.split()[1])
    raise OSError(f"/proc/{process}/status names no user")
