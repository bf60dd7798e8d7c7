"""What a mailbox holds, and whether there is room for more (Exim 26.2: quota).

Sizes of many files are added up over the tree; a regular expression may read them off the names, which saves a call for each. Files that
have several names count once over all of them.
"""

from __future__ import annotations

import os
import re
import time
from functools import lru_cache
from typing import Any, Protocol

from pillarbox.backends.userfiles.stopping import Stopped, stop
from pillarbox.ports.userfiles import FileWork, NotWritten, Quota

_DEPTH = 64
_WHY = re.compile(r"at position (\d+); (.*)")


class Pattern(Protocol):
    def search(self, subject: bytes, /) -> Any: ...


def check_quota(work: FileWork, size: int, files: int, shown: str = "", read_at: float = 0.0) -> None:
    """`size`, `files`: what is there already; `shown`: what the log says is written; `read_at`: when the mailbox was last read, 0 where nobody
    knows. Raises Stopped."""
    quota = work.quota
    if quota is None or quota.size <= 0:
        return  # files are counted where bytes are limited only (Exim 26.3, `quota_filecount`)
    one = 1 if quota.is_inclusive else 0
    if quota.files > 0 and files + one > quota.files and not quota.files_forced:
        raise _full(shown or work.path, " filecount", read_at)
    coming = work.message_size if quota.is_inclusive else 0
    if size + coming > quota.size and not quota.size_forced:
        raise _full(shown or work.path, "", read_at)


def _full(path: str, which: str, read_at: float) -> Stopped:
    unread_for = max(int(time.time()) - int(read_at), 0) if read_at else 0
    text = f"mailbox is full (MTA-imposed{which} quota exceeded while writing to {path})"
    return Stopped(NotWritten(text, error="quota", unread_for=unread_for))


def count(directory: str, quota: Quota, size_regex: str) -> tuple[int, int]:
    """(bytes, files) beneath a directory; known numbers stand in for counted ones. As with Exim directories count as files: a Maildir begins
    with three."""
    if quota.known_size >= 0 and (quota.known_files >= 0 or quota.files <= 0):
        return quota.known_size, max(quota.known_files, 0)
    size, files = _count(directory, regex(size_regex) if size_regex else None, _DEPTH)
    return (
        quota.known_size if quota.known_size >= 0 else size,
        quota.known_files if quota.known_files >= 0 else files,
    )


def _count(directory: str, size_of: Pattern | None, depth: int) -> tuple[int, int]:
    total = files = 0
    try:
        entries = list(os.scandir(directory))
    except OSError:
        return 0, 0
    for entry in entries:
        named = size_in_name(entry.name, size_of)
        if named is not None:
            total, files = total + named, files + 1
            continue
        try:
            if entry.is_dir(follow_symlinks=False):
                inner = _count(entry.path, size_of, depth - 1) if depth else (0, 0)
                total, files = total + inner[0], files + inner[1] + 1
            elif entry.is_file(follow_symlinks=False):
                status = entry.stat(follow_symlinks=False)
                total, files = total + status.st_size // max(status.st_nlink, 1), files + 1
        except OSError:
            continue
    return total, files


def size_in_name(name: str, size_of: Pattern | None) -> int | None:
    """What the expression's first capture says; None when it does not fit."""
    if size_of is None:
        return None
    found = size_of.search(os.fsencode(name))
    if found is None:
        return None
    text = found[1]
    return int(text) if text and text.isdigit() else None


@lru_cache(maxsize=64)
def regex(pattern: str) -> Pattern:
    """Imported when the first is wanted; most mailboxes have none. Raises Stopped."""
    import pcre2  # type: ignore[import-untyped]

    try:
        compiled: Pattern = pcre2.compile(os.fsencode(pattern))
    except pcre2.PatternError as error:
        found = _WHY.search(str(error))
        why = f"{found[2]} at offset {found[1]}" if found else str(error)
        raise stop(f'regular expression error in "{pattern}": {why}') from None
    return compiled
