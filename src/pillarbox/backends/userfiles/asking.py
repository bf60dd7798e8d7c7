"""Is there room in a mailbox? Asked as its user, without a message (Exim 44.21, `verify = recipient/quota`)."""

from __future__ import annotations

import os

from pillarbox.backends.userfiles.maildir import ask_maildir
from pillarbox.backends.userfiles.quota import check_quota, count
from pillarbox.ports.userfiles import FileWork, Written


def ask_room(work: FileWork) -> Written:
    """A mailbox that is not there yet has nothing in it. Raises Stopped, OSError."""
    if work.quota is None:
        return Written(work.path)
    match work.kind:
        case "mbox" | "mbx":
            known = work.quota.known_size
            check_quota(work, known if known >= 0 else _size(work.path), 0)
        case "maildir":
            ask_maildir(work)
        case _:
            size, files = count(
                work.quota.directory or work.path.rstrip("/"), work.quota, work.rules.size_regex
            )
            check_quota(work, size, files)
    return Written(work.path)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0
