"""Opening the mbox file under the locks that deliveries and other mail programs respect.

Reading takes a shared fcntl lock, and waits for a fresh `FILE.lock` to go; it writes nothing into the directory, which may be read-only to us.
Changing takes the lock file and an exclusive fcntl lock, as appendfile does by default (Exim 26.3). A lock that is held is `MailboxBusy` at
once: who waits is the caller, on the loop. Where a removal was cut short it is finished first. Runs in threads.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import msgspec

from pillarbox.backends.mailstore.mbox import removal
from pillarbox.backends.userfiles.locks import lock_descriptor, lock_file
from pillarbox.backends.userfiles.single_file import append as append_to_file
from pillarbox.backends.userfiles.stopping import Stopped
from pillarbox.mail.message import Body
from pillarbox.ports.mailplace import MailPlace
from pillarbox.ports.mailstore import MailboxBusy, MailboxReadOnly, OverQuota
from pillarbox.ports.userfiles import FileBusy, FileRules, FileWork, Locking, NotWritten
from pillarbox.system.filegroup import reserved_group

_STALE = 1800.0
"""Seconds: `lockfile_timeout`'s default."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)
_OPEN = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_RULES = FileRules(locking=Locking(lockfile_timeout=_STALE), checks_owner=False, fails_when_narrower=False)


@contextmanager
def reading(place: MailPlace) -> Iterator[int | None]:
    """Its descriptor; None: there is no such file, so no mail. Raises MailboxBusy, OSError."""
    if removal.is_unfinished(place.root):
        with changing(place):
            pass
    _check_lock_file(place.inbox)
    with opened(place) as descriptor:
        if descriptor is not None:
            with _plainly():
                lock_descriptor(descriptor, _work(place), shared=True)
        yield descriptor


def _check_lock_file(path: str) -> None:
    with suppress(FileNotFoundError):
        if time.time() - os.lstat(f"{path}.lock").st_ctime < _STALE:
            raise MailboxBusy(f"{path}.lock is there")


@contextmanager
def opened(place: MailPlace) -> Iterator[int | None]:
    """Without locks, for who knows what must stand there. Raises OSError."""
    try:
        descriptor = _open(place.inbox, os.O_RDONLY)
    except FileNotFoundError:
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def changing(place: MailPlace) -> Iterator[int | None]:
    """For reading and writing, with all locks. Raises MailboxBusy, MailboxReadOnly, OSError."""
    with _lock_file(place), _exclusively(place) as descriptor:
        yield descriptor


@contextmanager
def _exclusively(place: MailPlace) -> Iterator[int | None]:
    try:
        with _plainly():
            descriptor = _open(place.inbox, os.O_RDWR)
    except FileNotFoundError:
        removal.finish(place, None)
        yield None
        return
    try:
        with _plainly():
            lock_descriptor(descriptor, _work(place))
        removal.finish(place, descriptor)
        yield descriptor
    finally:
        os.close(descriptor)


def append(place: MailPlace, body: Body) -> None:
    """All of it or nothing, durable on return, made when it is not there. Raises MailboxBusy, MailboxReadOnly,
    OverQuota, OSError."""
    with _lock_file(place):
        with _exclusively(place) as descriptor:
            gap = b"" if descriptor is None else _gap(descriptor)
        if descriptor is None:
            with suppress(FileExistsError), _plainly():
                _make(place.inbox)
        _append(place, gap, body)


def _gap(descriptor: int) -> bytes:
    """What is missing for the next From_ line to stand behind an empty line."""
    size = os.fstat(descriptor).st_size
    end = os.pread(descriptor, 2, max(0, size - 2))
    if not end or end == b"\n\n":
        return b""
    return b"\n" if end.endswith(b"\n") else b"\n\n"


def _make(path: str) -> None:
    """As deliveries of Debian's make it in /var/mail: group mail may write it, and nobody else's group may."""
    with reserved_group() as is_reserved:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _OPEN, 0o600)
    try:
        if is_reserved:
            os.fchmod(descriptor, 0o660)
    finally:
        os.close(descriptor)


def _append(place: MailPlace, gap: bytes, body: Body) -> None:
    mode = stat.S_IMODE(os.stat(place.inbox, follow_symlinks=False).st_mode)
    rules = msgspec.structs.replace(_RULES, mode=mode, locking=Locking(with_lockfile=False))
    with _plainly():
        append_to_file(FileWork(kind="mbox", path=place.inbox, rules=rules, head=gap), body)
    descriptor = _open(place.inbox, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _open(path: str, how: int) -> int:
    descriptor = os.open(path, how | _OPEN)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, f"{path} is not a regular file")
    return descriptor


def _work(place: MailPlace) -> FileWork:
    return FileWork(kind="mbox", path=place.inbox, rules=_RULES, host="localhost")


@contextmanager
def _lock_file(place: MailPlace) -> Iterator[None]:
    """Made and removed with the group that is in reserve for it; what is done inside is done without."""
    lock = lock_file(_work(place))
    with _plainly(), reserved_group():
        lock.__enter__()
    try:
        yield
    finally:
        with reserved_group():
            lock.__exit__(None, None, None)


@contextmanager
def _plainly() -> Iterator[None]:
    """What stops a delivery, as the port's exceptions."""
    try:
        yield
    except Stopped as stopped:
        match stopped.result:
            case FileBusy(text=text):
                raise MailboxBusy(text) from None
            case NotWritten(text=text, code=code):
                raise _trouble(code, text) from None
        raise
    except OSError as error:
        if error.errno in _CLOSED:
            raise MailboxReadOnly(str(error)) from None
        raise


def _trouble(code: int, text: str) -> Exception:
    if code in _FULL:
        return OverQuota(text)
    return MailboxReadOnly(text) if code in _CLOSED else OSError(code or errno.EIO, text)
