"""Opening a mailbox file: what an existing one must be like, and where a new one may be (Exim 26.3, step by step).

The rule it keeps: what was checked by name is checked again on the descriptor, and no link is followed that was not allowed. A file that changes
between the two looks is somebody's attempt at something: the message is frozen.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress

from pillarbox.backends.userfiles.places import may_create
from pillarbox.backends.userfiles.stopping import Stopped, stop, trouble
from pillarbox.ports.userfiles import FileWork, OtherFormat
from pillarbox.wire.exim.error_numbers import (
    CREATION_FORBIDDEN,
    EXISTENCE_UNCLEAR,
    FILE_CHANGED,
    FORMAT_UNKNOWN,
    NOT_A_FILE,
    WRONG_MODE,
    WRONG_OWNER,
)

_TRIES = 10
_PERMISSIONS = 0o7777


def open_mailbox(work: FileWork) -> tuple[int, bool]:
    """(descriptor for reading and appending, whether it is a named pipe). Raises Stopped."""
    for _ in range(_TRIES):
        try:
            seen = os.lstat(work.path)
        except FileNotFoundError:
            opened = _create(work, through_link=False)
        except OSError as error:
            raise trouble(error, f"attempting to stat mailbox {work.path}") from None
        else:
            opened = _open_existing(work, seen)
        if opened is not None:
            return opened
    raise stop(f"mailbox {work.path}: existence unclear", EXISTENCE_UNCLEAR, is_frozen=True)


def _create(work: FileWork, *, through_link: bool) -> tuple[int, bool] | None:
    """None: it is there by now."""
    if work.rules.must_exist:
        raise stop(f"mailbox {work.path} does not exist, but file_must_exist is set", errno.ENOENT)
    if not may_create(work, work.path):
        raise stop(
            f"mailbox {work.path} does not exist, but creation outside the home directory is not permitted",
            CREATION_FORBIDDEN,
        )
    mode = work.forced_mode if work.forced_mode >= 0 else work.rules.mode
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    flags |= 0 if through_link else os.O_EXCL | os.O_NOFOLLOW
    try:
        descriptor = os.open(work.path, flags, mode)
    except FileExistsError:
        return None
    except OSError as error:
        raise trouble(error, f"while creating mailbox {work.path}") from None
    try:
        os.fchmod(descriptor, mode)
        if os.fstat(descriptor).st_gid != os.getegid():
            with suppress(OSError):
                os.fchown(descriptor, -1, os.getegid())
    except OSError as error:
        os.close(descriptor)
        raise trouble(error, f"while setting perms on mailbox {work.path}") from None
    return descriptor, False


def _open_existing(work: FileWork, seen: os.stat_result) -> tuple[int, bool] | None:
    """None: it has gone meanwhile."""
    is_link = stat.S_ISLNK(seen.st_mode)
    if is_link:
        _check_owner(work, seen, " (symlink)")
        if not work.rules.allows_symlink:
            raise stop(f"mailbox {work.path} is not a regular file", NOT_A_FILE)
        try:
            seen = os.stat(work.path)
        except FileNotFoundError:
            return _create(work, through_link=True)
        except OSError as error:
            raise trouble(error, f"attempting to stat mailbox {work.path}") from None
    _check_owner(work, seen, "")
    if seen.st_nlink > 1:
        raise stop(f"mailbox {work.path} has too many links ({seen.st_nlink})", NOT_A_FILE)
    is_pipe = _check_kind(work, seen)
    mode = _check_mode(work, seen)
    return _open(work, seen, mode, is_pipe, follows=is_link)


def _check_kind(work: FileWork, seen: os.stat_result) -> bool:
    """Whether it is a named pipe, and allowed to be."""
    if stat.S_ISREG(seen.st_mode):
        return False
    if stat.S_ISFIFO(seen.st_mode) and work.rules.allows_fifo:
        return True
    also = " or named pipe" if work.rules.allows_fifo else ""
    raise stop(f"mailbox {work.path} is not a regular file{also}", NOT_A_FILE)


def _check_owner(work: FileWork, seen: os.stat_result, kind: str) -> None:
    uid, gid = os.geteuid(), os.getegid()
    if work.rules.checks_owner and seen.st_uid != uid:
        raise stop(f"mailbox {work.path}{kind} has wrong uid ({seen.st_uid} != {uid})", WRONG_OWNER)
    if work.rules.checks_group and seen.st_gid != gid:
        raise stop(f"mailbox {work.path}{kind} has wrong gid ({seen.st_gid} != {gid})", WRONG_OWNER)


def _check_mode(work: FileWork, seen: os.stat_result) -> int:
    """The permissions that it has now: more than wanted are taken away."""
    present = seen.st_mode & _PERMISSIONS
    wanted = work.forced_mode if work.forced_mode >= 0 else work.rules.mode
    if present == wanted:
        return present
    if work.forced_mode < 0 and wanted & ~present:
        if work.rules.fails_when_narrower:
            raise stop(
                f"mailbox {work.path} has the wrong mode {present:o} ({wanted:o} expected)", WRONG_MODE
            )
        return present
    try:
        os.chmod(work.path, wanted)
    except OSError as error:
        raise trouble(error, f"attempting to chmod mailbox {work.path}") from None
    return wanted


def _open(
    work: FileWork, seen: os.stat_result, mode: int, is_pipe: bool, *, follows: bool
) -> tuple[int, bool] | None:
    flags = (os.O_WRONLY if is_pipe else os.O_RDWR) | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        descriptor = os.open(work.path, flags | (0 if follows else os.O_NOFOLLOW))
    except FileNotFoundError:
        return None
    except OSError as error:
        text = f"while opening mailbox {work.path}"
        if is_pipe:
            why = f"{os.strerror(error.errno or 0)} (could mean no process is reading it)"
            text = f'while opening named pipe "{work.path}": {why}'
        raise trouble(error, text) from None
    try:
        _check_again(work, seen, os.fstat(descriptor), mode, is_pipe)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, is_pipe


def _check_again(work: FileWork, seen: os.stat_result, now: os.stat_result, mode: int, is_pipe: bool) -> None:
    path = work.path
    if now.st_ino != seen.st_ino or now.st_dev != seen.st_dev:
        text = f"opened mailbox {path} inode number changed from {seen.st_ino} to {now.st_ino}"
        raise stop(text, FILE_CHANGED, is_frozen=True)
    if not (stat.S_ISFIFO(now.st_mode) if is_pipe else stat.S_ISREG(now.st_mode)):
        kind = "named pipe" if is_pipe else "regular file"
        raise stop(f"opened mailbox {path} is no longer a {kind}", NOT_A_FILE, is_frozen=True)
    if work.rules.checks_owner and (now.st_uid, now.st_gid) != (seen.st_uid, seen.st_gid):
        raise stop(f"opened mailbox {path} has wrong uid or gid", WRONG_OWNER, is_frozen=True)
    if now.st_mode & _PERMISSIONS != mode:
        text = f"opened mailbox {path} has wrong mode {now.st_mode & _PERMISSIONS:o} ({mode:o} expected)"
        raise stop(text, WRONG_MODE, is_frozen=True)


def check_format(work: FileWork, descriptor: int) -> None:
    """`file_format`: raises Stopped when another transport is to write, or none knows the file."""
    formats = work.rules.formats
    if not formats:
        return
    begin = os.pread(descriptor, max(len(mark) for mark, _ in formats), 0)
    if not begin:
        return
    for mark, transport in formats:
        if begin.startswith(mark):
            if transport:
                raise Stopped(OtherFormat(transport))
            return
    raise stop("mailbox file format unrecognized", FORMAT_UNKNOWN)
