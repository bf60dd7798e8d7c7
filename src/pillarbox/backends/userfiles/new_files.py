"""A new file for each message: mailstore, and directories of no format (Exim 26.4, 26.8, 26.9).

A file of no format gets its name at last, when its inode is known: it is written under a temporary name that stays the same for every
attempt, the flow makes the name, and asks for the renaming.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress

from pillarbox.backends.userfiles.places import check_directory
from pillarbox.backends.userfiles.quota import check_quota, count
from pillarbox.backends.userfiles.single_file import write_all
from pillarbox.backends.userfiles.stopping import trouble, writing_trouble
from pillarbox.mail.message import Body
from pillarbox.ports.userfiles import FileWork, Written

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


def write_single(work: FileWork, body: Body) -> tuple[Written, int]:
    """Under its temporary name. Raises Stopped."""
    directory = work.path.rstrip("/")
    path = f"{directory}/temp.{work.unique}"
    _prepare(work, path, path)
    size, status = write_new(path, (work.head, *body.chunks(), work.tail), work)
    return Written(path, status.st_ino, work.quota.known_size if work.quota else -1, size), status.st_dev


def rename_single(work: FileWork) -> tuple[Written, int]:
    """`unique` becomes `name`. Raises Stopped."""
    directory = work.path.rstrip("/")
    old, new = f"{directory}/temp.{work.unique}", f"{directory}/{work.name}"
    try:
        if work.is_repeat and not os.path.lexists(old):
            status = os.lstat(new)
            return Written(new, status.st_ino), status.st_dev
        status = os.lstat(old)
        if work.replaces:
            os.rename(old, new)
        else:
            _rename_to_nothing(old, new, status)
    except OSError as error:
        with suppress(OSError):
            os.unlink(old)
        raise trouble(error, f"while renaming {old} as {new}") from None
    return Written(new, status.st_ino), status.st_dev


def _rename_to_nothing(old: str, new: str, status: os.stat_result) -> None:
    """Raises OSError where something else has the new name."""
    try:
        os.link(old, new)
    except FileExistsError:
        if not os.path.samestat(status, os.lstat(new)):  # of an attempt that was interrupted
            raise
    os.unlink(old)


def remove_single(work: FileWork) -> tuple[Written, int]:
    """A delivery that came to nothing after all."""
    with suppress(OSError):
        os.unlink(f"{work.path.rstrip('/')}/temp.{work.unique}")
    return Written(work.path), 0


def write_mailstore(work: FileWork, body: Body) -> tuple[Written, int]:
    """`unique`.env and `unique`.msg; the first appears when the second is whole. Raises Stopped."""
    base = f"{work.path.rstrip('/')}/{work.unique}"
    _prepare(work, f"{base}.msg", f"{base}.tmp")
    if work.is_repeat and os.path.exists(f"{base}.env") and os.path.exists(f"{base}.msg"):
        status = os.stat(f"{base}.msg")
        return Written(f"{base}.msg", status.st_ino), status.st_dev
    for left in (f"{base}.tmp", f"{base}.msg"):
        with suppress(FileNotFoundError):
            os.unlink(left)  # of an attempt that was cut off: one process at a time has the message
    write_new(f"{base}.tmp", (work.envelope,), work)
    try:
        size, status = write_new(f"{base}.msg", (work.head, *body.chunks(), work.tail), work)
        os.rename(f"{base}.tmp", f"{base}.env")
    except OSError as error:
        raise trouble(error, f'failed to rename "{base}.tmp" as "{base}.env"') from None
    except BaseException:
        with suppress(OSError):
            os.unlink(f"{base}.tmp")
        raise
    return Written(f"{base}.msg", status.st_ino, -1, size), status.st_dev


def _prepare(work: FileWork, path: str, first: str) -> None:
    """`first`: what is opened first, for the log."""
    check_directory(work, first)
    if work.quota is not None:
        directory = work.quota.directory or work.path.rstrip("/")
        size, files = count(directory, work.quota, work.rules.size_regex)
        check_quota(work, size, files, path)


def write_new(
    path: str, pieces: Iterable[bytes], work: FileWork, shown: str = ""
) -> tuple[int, os.stat_result]:
    """A fresh file: its size, and which it is (as it was when empty); on trouble none. `shown`: its name within a Maildir, for the log.
    Raises Stopped."""
    try:
        descriptor, status = _open_fresh(path, work.rules.mode, is_ours=bool(shown))
    except OSError as error:
        text = f"failed to open {shown} (10 tries)" if shown else f"while creating file {path}"
        raise trouble(error, text) from None
    try:
        return write_all(descriptor, pieces), status
    except OSError as error:
        with suppress(OSError):
            os.unlink(path)
        raise writing_trouble(error, shown or path) from None
    finally:
        os.close(descriptor)


def _open_fresh(path: str, mode: int, *, is_ours: bool) -> tuple[int, os.stat_result]:
    """A file of that name is left by an attempt that was cut off (one process at a time has the message), surely where it `is_ours`: in a
    Maildir's tmp. Raises OSError, also when it is no such file."""
    try:
        descriptor = os.open(path, _CREATE, mode)
    except FileExistsError:
        if is_ours or (os.path.basename(path).startswith("temp.") and not os.path.islink(path)):
            os.unlink(path)
            descriptor = os.open(path, _CREATE, mode)
        else:
            raise
    try:
        status = os.fstat(descriptor)
        if status.st_gid != os.getegid():  # a set-group directory gave it another
            with suppress(OSError):
                os.fchown(descriptor, -1, os.getegid())
        if status.st_mode & 0o7777 != mode:
            os.fchmod(descriptor, mode)  # whatever the umask
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, status
