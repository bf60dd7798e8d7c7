"""Maildir delivery with all that Exim's transport can ask for (Exim 26.5 to 26.7): folders, tags, quotas, maildirsize.

The file's name begins with the time of reception and the message's own mark, which makes a repeat after a crash find it; behind the host stand
the sizes that IMAP servers read (`,S=`, `,W=`), or the tag that the transport asks for.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress

from pillarbox.backends.userfiles import maildirsize
from pillarbox.backends.userfiles.names import Count, prefix_of
from pillarbox.backends.userfiles.new_files import write_new
from pillarbox.backends.userfiles.places import check_bounds, make_directory
from pillarbox.backends.userfiles.quota import check_quota, count, regex
from pillarbox.backends.userfiles.stopping import stop, trouble
from pillarbox.mail.message import Body
from pillarbox.ports.userfiles import FileWork, Quota, Written
from pillarbox.wire.exim.error_numbers import NOT_A_DIRECTORY

_PARTS = ("tmp", "new", "cur")
_CLOCK_SKEW = 600.0
"""Seconds by which the clock of a file server may be behind ours."""


def deliver_maildir(work: FileWork, body: Body) -> tuple[Written, int]:
    """Raises Stopped."""
    directory = work.path.rstrip("/")
    prefix = prefix_of(work.unique, work.received_at)
    _ensure(directory, work)
    if work.is_repeat and (found := _find(directory, prefix, work.received_at)):
        status = os.stat(found)
        return Written(found, status.st_ino), status.st_dev
    top, quota = _counted_at(directory, work)
    shown = f"tmp/{prefix}{work.host}"
    temporary = f"{directory}/{shown}"
    before = _check(top, quota, work, shown) if quota is not None else -1
    counted = Count()
    pieces = counted.through((work.head, *body.chunks(), work.tail))
    size, status = write_new(temporary, pieces, work, shown)
    path = _move(temporary, f"{directory}/new/", f"{prefix}{work.host}", counted, work)
    if quota is not None and quota.keeps_size_file:
        maildirsize.note(top, size)
    return Written(path, status.st_ino, before, size), status.st_dev


def ask_maildir(work: FileWork) -> None:
    """Whether there is room. Raises Stopped."""
    top, quota = _counted_at(work.path.rstrip("/"), work)
    if quota is not None and os.path.isdir(top):
        _check(top, quota, work, work.path)
    elif quota is not None:
        check_quota(work, 0, 0)


def _ensure(directory: str, work: FileWork) -> None:
    """tmp, new and cur, and `maildirfolder` where it belongs."""
    check_bounds(work)
    for part in _PARTS:
        path = f"{directory}/{part}"
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            if os.path.islink(directory) and not os.path.isdir(directory):
                raise stop(f"{directory} is not a directory", NOT_A_DIRECTORY) from None
            _make(directory, path, work)
        except OSError as error:
            if error.errno == errno.ENOTDIR and os.path.lexists(directory):
                raise stop(f"{directory} is not a directory", NOT_A_DIRECTORY) from None
            raise trouble(error, f"stat() error for {path}: {os.strerror(error.errno or 0)}") from None
        else:
            if not stat.S_ISDIR(status.st_mode):
                raise stop(f"{path} is not a directory", NOT_A_DIRECTORY)
    if work.rules.folder_regex and regex(work.rules.folder_regex).search(os.fsencode(directory)):
        _make_folder_mark(directory)


def _make(directory: str, path: str, work: FileWork) -> None:
    if not work.rules.creates_directory:
        missing = path if os.path.isdir(directory) else work.path
        raise trouble(OSError(errno.ENOENT, ""), f"stat() error for {missing}: {os.strerror(errno.ENOENT)}")
    for each in (directory, path):
        make_directory(each, work, f"cannot create {each}")


def _make_folder_mark(directory: str) -> None:
    path = f"{directory}/maildirfolder"
    if os.path.lexists(path):
        return
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        text = f"appendfile: failed to create maildirfolder file in {directory} directory"
        raise trouble(error, text) from None


def _counted_at(directory: str, work: FileWork) -> tuple[str, Quota | None]:
    """Where quotas are counted, and the quota unless this folder is left out of it."""
    quota = work.quota
    if quota is None:
        return directory, None
    if quota.directory:
        return quota.directory.rstrip("/"), quota
    top, name = os.path.split(directory)
    if not os.path.lexists(f"{directory}/maildirfolder"):
        top, name = directory, "new"
    wanted = work.rules.directory_regex
    if quota.keeps_size_file and wanted and not regex(wanted).search(os.fsencode(name)):
        return top, None
    return top, quota


def _check(top: str, quota: Quota, work: FileWork, shown: str) -> int:
    """What it holds before. Raises Stopped."""
    if quota.keeps_size_file:
        try:
            size, files = maildirsize.held_by(top, work, quota)
        except OSError as error:
            raise trouble(error, f"while opening or reading {top}/maildirsize") from None
        size = quota.known_size if quota.known_size >= 0 else size
        files = quota.known_files if quota.known_files >= 0 else files
    else:
        size, files = count(top, quota, work.rules.size_regex)
    check_quota(work, size, files, shown, _read_at(top))
    return size


def _find(directory: str, prefix: str, received_at: float) -> str | None:
    """What an earlier attempt has written. A directory in which nothing was made since then is not looked through: it may be large."""
    for part in ("new", "cur"):
        with suppress(OSError):
            if os.stat(f"{directory}/{part}").st_mtime < received_at - _CLOCK_SKEW:
                continue
            for name in os.listdir(f"{directory}/{part}"):
                if name.startswith(prefix):
                    return f"{directory}/{part}/{name}"
    return None


def _move(temporary: str, place: str, stem: str, counted: Count, work: FileWork) -> str:
    """With its tag, or without one when the name grows too long."""
    path = place + (f"{stem}{work.tag}" if work.tag else counted.name(stem))
    try:
        try:
            os.rename(temporary, path)
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            path = place + stem
            os.rename(temporary, path)
    except OSError as error:
        with suppress(OSError):
            os.unlink(temporary)
        names = (f"{part}/{os.path.basename(name)}" for part, name in (("tmp", temporary), ("new", path)))
        raise trouble(error, "while renaming {} as {}".format(*names)) from None
    return path


def _read_at(top: str) -> float:
    """When messages were last moved away from `new`: nothing comes to a full mailbox."""
    try:
        return os.stat(f"{top}/new").st_mtime
    except OSError:
        return 0.0
