"""A group kept in reserve for files that the user alone may not make: lock files in /var/mail, which is group mail's to write.

A process that has become a user for good keeps the group as its saved one (`identity.become_for_good`). Inside `reserved_group` the files that
this thread makes and removes are made with it, by setfsgid(2), which is a thread's own; everything else goes on without. Other systems
than Linux have no such call: there nothing is reserved.
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def reserved_group() -> Iterator[bool]:
    """Whether there is one; otherwise nothing happens. No `await` inside."""
    _, effective, saved = os.getresgid()
    if saved == effective:
        yield False
        return
    libc = ctypes.CDLL(None)
    libc.setfsgid(saved)
    try:
        yield True
    finally:
        libc.setfsgid(effective)


def group_of(directory: str) -> int:
    """Whose members may make files there, by its permissions; -1: root's, or nobody's in particular. Only of directories that root alone
    could have put there, so that nobody leads us elsewhere. Raises OSError."""
    above = "/"
    for part in directory.split("/")[1:-1]:
        above = os.path.join(above, part)
        if not _is_roots(os.lstat(above)):
            return -1
    if os.lstat(directory).st_uid != 0:
        return -1
    facts = os.stat(directory)
    is_for_group = facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH) == stat.S_IWGRP
    return facts.st_gid if is_for_group and facts.st_uid == 0 and facts.st_gid > 0 else -1


def _is_roots(facts: os.stat_result) -> bool:
    is_open = not stat.S_ISLNK(facts.st_mode) and facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return facts.st_uid == 0 and not is_open
