"""Locking a mailbox file without waiting: the dot lock, fcntl, flock (Exim 26.3).

Who waits is the flow: a lock that is held is answered at once, and asked for again later, so one slow mail program holds up
no other user's mail. Locks of fcntl belong to the descriptor (F_OFD_SETLK): they exclude those of other programs, and our own too.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pillarbox.backends.userfiles.stopping import Stopped, trouble
from pillarbox.ports.userfiles import FileBusy, FileWork, Locking

_FLOCK = struct.Struct("hhqqi4x")
_HELD = (errno.EACCES, errno.EAGAIN)
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


@contextmanager
def lock_file(work: FileWork) -> Iterator[None]:
    """Holds `<path>.lock`. Raises Stopped."""
    locking = work.rules.locking
    if not locking.with_lockfile:
        yield
        return
    name = f"{work.path}.lock"
    _take(name, work, locking)
    try:
        yield
    finally:
        with suppress(OSError):
            os.unlink(name)


def _take(name: str, work: FileWork, locking: Locking) -> None:
    try:
        if _make(name, locking.lockfile_mode):
            return
        if _remove_old(name, locking.lockfile_timeout) and _make(name, locking.lockfile_mode):
            return
    except OSError as error:
        post = f"{name}.{work.host}.{int(time.time()):08x}.{os.getpid():08x}"  # Exim's words
        ids = f"(euid={os.geteuid()} egid={os.getegid()})"
        reason = os.strerror(error.errno or 0)
        raise trouble(error, f"creating lock file hitching post {post} {reason} {ids}") from None
    raise Stopped(FileBusy(f"failed to lock mailbox {work.path} (lock file)", "lock file"))


def _make(name: str, mode: int) -> bool:
    """False: somebody holds it. Exclusive creation is all it takes, on NFS too since its version 3; Exim makes the file under another name and
    links it, which costs two changes of the directory more. Raises OSError."""
    try:
        os.close(os.open(name, _CREATE, mode))
    except FileExistsError:
        return False
    return True


def _remove_old(name: str, timeout: float) -> bool:
    """Whether there was a lock file that nobody owns any more."""
    try:
        if timeout <= 0 or time.time() - os.lstat(name).st_ctime <= timeout:
            return False
        os.unlink(name)
    except OSError:
        return False
    return True


def lock_descriptor(descriptor: int, work: FileWork, *, shared: bool = False) -> None:
    """By fcntl and flock as asked for. Raises Stopped when another holds it."""
    locking = work.rules.locking
    try:
        if locking.with_fcntl:
            kind = fcntl.F_RDLCK if shared else fcntl.F_WRLCK
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _FLOCK.pack(kind, os.SEEK_SET, 0, 0, 0))
        if locking.with_flock:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _HELD:
            by = "flock" if locking.with_flock and not locking.with_fcntl else "fcntl"
            raise Stopped(FileBusy(f"failed to lock mailbox {work.path} (fcntl/flock)", by)) from None
        raise trouble(error, f"failed to lock mailbox {work.path} (fcntl/flock)") from None
