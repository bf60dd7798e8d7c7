"""Comparing a Maildir with what is known of it. Runs in a thread when there is much to do; touches no database.

Whether anything changed is asked of the directories' mtimes. A file system counts them in ticks (4 ms in many Linux kernels, 1 or 2 s
elsewhere), so a directory changed in the same tick as it was listed looks unchanged afterwards: an mtime counts as *settled* only when
it was older than a tick when listing began. Listing a directory while names in it change may also miss one (readdir(3)), so a message
counts as gone only when two listings in a row have not shown it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping

import msgspec

from pillarbox.backends.mailstore import lineends
from pillarbox.backends.mailstore.maildir import filename

_TICK = 20_000_000
_WHOLE_SECONDS_TICK = 2_100_000_000
UNSETTLED = -1
_CHUNK = 1 << 20

Names = Mapping[bytes, int]
"""File name → uid."""


class Mtimes(msgspec.Struct, frozen=True):
    """Of `new` and `cur` in nanoseconds, or UNSETTLED."""

    new: int
    cur: int


NEVER = Mtimes(UNSETTLED, UNSETTLED)


class Located(msgspec.Struct, frozen=True, gc=False):
    name: bytes
    is_new: bool


class Found(msgspec.Struct, frozen=True, gc=False):
    """A message file with what opening it tells. Dates in epoch seconds."""

    name: bytes
    is_new: bool
    size: int
    internal_date: float
    saved_at: float


class Difference(msgspec.Struct, frozen=True):
    """`renamed`: uid → where it is now. `added` in order of delivery."""

    added: tuple[Found, ...]
    renamed: dict[int, Located]
    gone: frozenset[int]


def mtimes(path: bytes) -> Mtimes:
    """Raises OSError when the Maildir is not there."""
    return Mtimes(os.stat(path + b"/new").st_mtime_ns, os.stat(path + b"/cur").st_mtime_ns)


def settled(seen: Mtimes, began_at: int) -> Mtimes:
    """`began_at`: wall clock of the kernel that keeps the mtimes, in nanoseconds, before listing."""
    return Mtimes(_settle(seen.new, began_at), _settle(seen.cur, began_at))


def _settle(mtime: int, began_at: int) -> int:
    tick = _TICK if mtime % 1_000_000_000 else _WHOLE_SECONDS_TICK
    return mtime if began_at - mtime > tick else UNSETTLED


def kernel_now() -> int:
    """The clock that file times come from; not ours to replace in tests."""
    return time.time_ns()


class TooMuch(Exception):
    """More new files than the caller wants examined now: do it in a thread."""


def compare(path: bytes, new: Names, cur: Names, bases: Names, at_most: int | None = None) -> Difference:
    """`new`, `cur`: what is known to lie there; `bases`: the same messages by base. Raises TooMuch beyond `at_most` new
    files, OSError when the Maildir cannot be read."""
    listed = _list(path)
    missing = _missing(listed, new, cur)
    if missing:
        again = _list(path)
        missing &= _missing(again, new, cur)
        listed = (listed[0] | again[0], listed[1] | again[1])
    return _explain(path, _Look(listed, missing, at_most), (new, cur), bases)


def _list(path: bytes) -> tuple[set[bytes], set[bytes]]:
    """`new` first: a message that moves meanwhile is then seen twice rather than never."""
    return set(os.listdir(path + b"/new")), set(os.listdir(path + b"/cur"))


def _missing(listed: tuple[set[bytes], set[bytes]], new: Names, cur: Names) -> set[bytes]:
    """Names that are no longer where they were."""
    return (new.keys() - listed[0]) | (cur.keys() - listed[1])


class _Look(msgspec.Struct, frozen=True):
    listed: tuple[set[bytes], set[bytes]]
    missing: set[bytes]
    at_most: int | None


def _explain(path: bytes, look: _Look, known: tuple[Names, Names], bases: Names) -> Difference:
    (new, cur), listed = known, look.listed
    unknown = {
        filename.base_of(name): Located(name, is_new)
        for is_new, names in ((True, listed[0] - new.keys()), (False, listed[1] - cur.keys()))
        for name in names
        if not name.startswith(b".")
    }
    renamed: dict[int, Located] = {}
    gone: set[int] = set()
    for name in look.missing:
        uid = new[name] if name in new else cur[name]
        if (now := unknown.pop(filename.base_of(name), None)) is not None:
            renamed[uid] = now
        else:
            gone.add(uid)
    # A base that is known under another name is a hard link that a crash left in both directories.
    fresh = [located for base, located in unknown.items() if base not in bases]
    if look.at_most is not None and len(fresh) > look.at_most:
        raise TooMuch
    return Difference(_examine(path, fresh), renamed, frozenset(gone))


def _examine(path: bytes, located: Iterable[Located]) -> tuple[Found, ...]:
    found = [facts for where in located if (facts := facts_of(path, where)) is not None]
    found.sort(key=lambda facts: filename.order_of(facts.name))
    return tuple(found)


def file_of(path: bytes, name: bytes, is_new: bool) -> bytes:
    return b"%b/%b/%b" % (path, b"new" if is_new else b"cur", name)


def facts_of(path: bytes, where: Located) -> Found | None:
    """None for what is not a plain file, or has gone meanwhile."""
    file = file_of(path, where.name, where.is_new)
    try:
        status = os.lstat(file)
        if status.st_mode & 0o170000 != 0o100000:
            return None
        size = filename.crlf_size(where.name, status.st_size)
        if size is None:
            size = _measure(file)
    except OSError:
        return None
    return Found(where.name, where.is_new, size, status.st_mtime, status.st_ctime)


def _measure(file: bytes) -> int:
    """Size with CRLF line ends, read in pieces."""
    size, last = 0, b""
    with open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW), "rb", buffering=0) as source:
        while chunk := source.read(_CHUNK):
            size += lineends.crlf_size(chunk) - (last == b"\r" and chunk.startswith(b"\n"))
            last = chunk[-1:]
    return size
