"""POP3's lock on a maildrop: `flock` on a file in the Maildir, so that it holds over all workers and ends with its process."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable

from pillarbox.ports.mailplace import parse_place

FILE = "pillarbox.pop3.lock"


class FileLocks:
    """What `mailbox.pop3` asks for, as ourselves."""

    def take(self, home: str) -> Callable[[], None] | None:
        """How to give the lock back; None when it is held. A Maildir that is not there yet is made. Raises OSError."""
        home = parse_place(home).root
        os.makedirs(home, mode=0o700, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(os.path.join(home, FILE), flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        return lambda: os.close(descriptor)
