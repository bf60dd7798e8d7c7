"""Writing message files so that they survive power loss: for APPEND, COPY and MOVE. Runs in a thread.

All of a command or nothing: when one file fails, those before it are removed. Delivery by the mail flow goes another way
(`backends/userfiles.py`), where durability is bought for many messages at once.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Sequence

import msgspec

from pillarbox.backends.mailstore import lineends
from pillarbox.backends.mailstore.maildir import filename
from pillarbox.backends.mailstore.maildir.folders import sync_directory
from pillarbox.backends.mailstore.maildir.scan import file_of
from pillarbox.ports.mailstore import OverQuota


class Draft(msgspec.Struct, frozen=True, gc=False):
    """A message to write: `name` begins its file name, `letters` are its flags."""

    name: bytes
    letters: bytes
    data: bytes
    """With CRLF line ends."""
    internal_date: float


class Twin(msgspec.Struct, frozen=True, gc=False):
    """A file to link or move: absolute source, name in the target's `cur`."""

    source: bytes
    name: bytes


def write_all(path: bytes, drafts: Sequence[Draft]) -> list[tuple[bytes, int]]:
    """(name in `cur`, size with CRLF) of each. Raises OverQuota, OSError."""
    made: list[tuple[bytes, int]] = []
    with _all_or_nothing(path, made):
        for draft in drafts:
            made.append(_write(path, draft))  # noqa: PERF401 - each must be known when the next one fails
        sync_directory(path + b"/cur")
    return made


def _write(path: bytes, draft: Draft) -> tuple[bytes, int]:
    stored = lineends.to_stored(draft.data)
    size = lineends.crlf_size(stored)
    name = filename.join(filename.with_sizes(draft.name, len(stored), size), draft.letters)
    _put(path, name, stored, draft.internal_date)
    return name, size


def _put(path: bytes, name: bytes, stored: bytes, modified_at: float) -> None:
    """tmp, synced, then cur."""
    temporary = b"%b/tmp/%b" % (path, filename.base_of(name))
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with open(descriptor, "wb", buffering=0) as file:
            rest = memoryview(stored)
            while rest:
                rest = rest[file.write(rest) :]
            os.utime(descriptor, (modified_at, modified_at))
            os.fsync(descriptor)
        os.rename(temporary, file_of(path, name, False))
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def link_all(path: bytes, twins: Sequence[Twin]) -> list[bool]:
    """Give each file a second name in `path`; False where the source has gone. Raises OverQuota, OSError."""
    made: list[tuple[bytes, int]] = []
    results: list[bool] = []
    with _all_or_nothing(path, made):
        for twin in twins:
            is_there = _link(path, twin)
            results.append(is_there)
            if is_there:
                made.append((twin.name, 0))
        sync_directory(path + b"/cur")
    return results


def _link(path: bytes, twin: Twin) -> bool:
    target = file_of(path, twin.name, False)
    try:
        os.link(twin.source, target, follow_symlinks=False)
    except FileNotFoundError:
        if os.path.lexists(twin.source):
            raise  # the target directory is what has gone
        return False
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENOTSUP):
            raise
        _copy(path, twin)
    return True


def _copy(path: bytes, twin: Twin) -> None:
    """Where links are not to be had: other file system, foreign owner (fs.protected_hardlinks), too many."""
    data = read(twin.source)
    _put(path, twin.name, data, os.stat(twin.source).st_mtime)


def move_all(path: bytes, twins: Sequence[Twin]) -> list[bool]:
    """Rename into `path`; False where the source has gone. A failure undoes what was done. Raises OverQuota, OSError."""
    done: list[Twin] = []
    results: list[bool] = []
    try:
        for twin in twins:
            try:
                os.rename(twin.source, file_of(path, twin.name, False))
            except FileNotFoundError:
                results.append(False)
                continue
            results.append(True)
            done.append(twin)
    except OSError as error:
        for twin in done:
            os.rename(file_of(path, twin.name, False), twin.source)
        _explain(error)
    sync_directory(path + b"/cur")
    return results


@contextlib.contextmanager
def _all_or_nothing(path: bytes, made: list[tuple[bytes, int]]) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        for name, _ in made:
            with contextlib.suppress(OSError):
                os.unlink(file_of(path, name, False))
        _explain(error)


def _explain(error: OSError) -> None:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        raise OverQuota(error.strerror or "no space") from error
    raise error


def read(file: bytes) -> bytes:
    """Raises OSError."""
    with open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb", buffering=0) as source:
        return source.readall()
