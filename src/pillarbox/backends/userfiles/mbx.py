"""MBX, the mailbox format of c-client (Pine, UW IMAP): its headers and its lock.

A file begins with 2048 bytes: a mark, UIDVALIDITY, the names of thirty keywords, NULs. Lines end in CRLF; each message has one of its own in
front: when it came, its size, its flags. The lock: shared on the mailbox, exclusive on /tmp/.<device>.<inode> (hexadecimal).
"""

from __future__ import annotations

import fcntl
import os
import stat
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pillarbox.backends.userfiles.locks import lock_descriptor
from pillarbox.backends.userfiles.stopping import Stopped, stop, trouble
from pillarbox.ports.userfiles import FileBusy, FileWork

_HEADER = 2048
_KEYWORDS = 30
_FLOCK = struct.Struct("hhqqi4x")


def file_header(now: float) -> bytes:
    mark = b"*mbx*\r\n%08x00000000\r\n" % int(now) + b"\r\n" * _KEYWORDS
    return mark.ljust(_HEADER, b"\0")


def message_header(size: int, now: float) -> bytes:
    date = time.strftime("%e-%b-%Y %H:%M:%S %z", time.localtime(now))
    return f"{date},{size};000000000000-00000000\r\n".encode("ascii")


@contextmanager
def mbx_lock(work: FileWork, descriptor: int) -> Iterator[None]:
    """Nothing unless the MBX rules are asked for. Raises Stopped."""
    if not work.rules.locking.as_mbx:
        yield
        return
    lock_descriptor(descriptor, work, shared=True)
    status = os.fstat(descriptor)
    name = f"/tmp/.{status.st_dev:x}.{status.st_ino:x}"
    held = _open_lock(name, work)
    try:
        _lock(held, work)
        yield
    finally:
        os.close(held)


def _open_lock(name: str, work: FileWork) -> int:
    mode = work.rules.locking.lockfile_mode
    try:
        held = os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    except OSError as error:
        raise trouble(
            error, f"failed to open MBX lock file {name} :{os.strerror(error.errno or 0)}"
        ) from None
    status = os.fstat(held)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        os.close(held)
        raise stop(f"hard link to MBX lock file {name}")
    return held


def _lock(held: int, work: FileWork) -> None:
    try:
        if work.rules.locking.with_flock and not work.rules.locking.with_fcntl:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            fcntl.fcntl(held, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    except OSError:
        raise Stopped(FileBusy(f"failed to lock mailbox {work.path} (fcntl/flock)", "fcntl")) from None
