"""maildirsize: the size of a Maildir, kept by all who deliver into it (Maildir++, inter7.com/courierimap/README.maildirquota.html).

The first line is the quota (`10485760S,1000C`), each other line a change (`bytes files`). The file is made anew, by counting, when it
is missing, longer than 5120 bytes, not what it should be, of another quota, or says that the mailbox is full although it may not be.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress

from pillarbox.backends.userfiles.quota import Pattern, regex, size_in_name
from pillarbox.ports.userfiles import FileWork, Quota

NAME = "maildirsize"
MAX_SIZE = 5120
FRESH = 15 * 60
_CHANGE = re.compile(rb" *([+-]?\d+) +([+-]?\d+)")
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


def held_by(top: str, work: FileWork, quota: Quota) -> tuple[int, int]:
    """(bytes, files) of the Maildir, from the file or counted; the file is right then. Raises OSError."""
    path = f"{top}/{NAME}"
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_SIZE + 1)
            age = time.time() - os.fstat(file.fileno()).st_mtime
    except FileNotFoundError:
        return recount(top, work, quota)
    read = parse(data, quota)
    if read is None:
        return recount(top, work, quota)
    size, files, lines = read
    coming, one = (work.message_size, 1) if quota.is_inclusive else (0, 0)
    is_full = size + coming > quota.size or 0 < quota.files < files + one
    if quota.size > 0 and is_full and (lines > 1 or age > FRESH):
        return recount(top, work, quota)
    return size, files


def parse(data: bytes, quota: Quota) -> tuple[int, int, int] | None:
    """(bytes, files, lines of changes); None: it must be made anew."""
    if len(data) > MAX_SIZE:
        return None
    first, _, rest = data.partition(b"\n")
    if _limits(first) != (quota.size, quota.files):
        return None
    size = files = count = 0
    for line in filter(None, rest.split(b"\n")):
        found = _CHANGE.fullmatch(line)
        if found is None:
            return None
        size, files, count = size + int(found[1]), files + int(found[2]), count + 1
    return None if size < 0 or files < 0 else (size, files, count)


def _limits(line: bytes) -> tuple[int, int] | None:
    size = files = 0
    for part in line.split(b","):
        number, letter = part[:-1], part[-1:]
        if not number.isdigit():
            return None
        if letter == b"S":
            size = int(number)
        elif letter == b"C":
            files = int(number)
    return size, files


def recount(top: str, work: FileWork, quota: Quota) -> tuple[int, int]:
    """Count, and write the file anew. Raises OSError."""
    wanted = regex(work.rules.directory_regex) if work.rules.directory_regex else None
    size_of = regex(work.rules.size_regex) if work.rules.size_regex else None
    size, files = _sum(top, wanted, size_of)
    limits = f"{quota.size}S,{quota.files}C"
    temporary = f"{top}/tmp/{int(time.time())}.P{os.getpid()}.{work.host}"
    descriptor = os.open(
        temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
    )
    try:
        os.write(descriptor, f"{limits}\n{size} {files}\n".encode())
    finally:
        os.close(descriptor)
    os.rename(temporary, f"{top}/{NAME}")
    return size, files


def _sum(top: str, wanted: Pattern | None, size_of: Pattern | None) -> tuple[int, int]:
    """Messages in `cur` and `new` of the Maildir and of its folders, as far as the expression wants them."""
    total = files = 0
    for entry in os.scandir(top):
        name = entry.name
        is_plain = name in ("cur", "new")
        if not (is_plain or name.startswith(".")) or not entry.is_dir(follow_symlinks=False):
            continue
        if wanted is not None and wanted.search(os.fsencode(name)) is None:
            continue
        for place in (entry.path,) if is_plain else (f"{entry.path}/cur", f"{entry.path}/new"):
            inner = _messages(place, size_of)
            total, files = total + inner[0], files + inner[1]
    return total, files


def _messages(place: str, size_of: Pattern | None) -> tuple[int, int]:
    total = files = 0
    with suppress(OSError):
        for entry in os.scandir(place):
            if entry.name.startswith("."):
                continue
            named = size_in_name(entry.name, size_of)
            with suppress(OSError):
                total += named if named is not None else entry.stat(follow_symlinks=False).st_size
                files += 1
    return total, files


def note(top: str, size: int) -> None:
    """One message more. What goes wrong is mended by the next count."""
    with suppress(OSError):
        descriptor = os.open(f"{top}/{NAME}", _FLAGS)
        try:
            os.write(descriptor, b"%d 1\n" % size)
        finally:
            os.close(descriptor)
