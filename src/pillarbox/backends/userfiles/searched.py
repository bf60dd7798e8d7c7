"""Which messages a mailbox file may hold, remembered from one search of it to the next.

A repeat looks for its own message in the file (`single_file`). Behind a crash, or where all mail is queued at first, thousands of repeats follow
one another for the same file, and each would read all of it. So from the second on the message ids in it are remembered, and only what has been
appended is read. A file that has become shorter, or differs in front of that place, is read anew.
"""

from __future__ import annotations

import mmap
import os
import re
from collections import OrderedDict
from itertools import islice

_ID = re.compile(
    rb"(?<![0-9A-Za-z])id ([0-9A-Za-z]{6}-(?:[0-9A-Za-z]{11}-[0-9A-Za-z]{4}|[0-9A-Za-z]{6}-[0-9A-Za-z]{2}))"
)
_LONGEST = 64
"""Octets that a match may have, and more."""
_GUARD = 256
"""Octets in front of where a file was read to that tell whether it is the same still."""
_MOST_FILES = 32
_MOST_IDS = 100_000
"""Of one file. Anybody may write ids into a message."""


class _File:
    """Up to `end`; `ids` of all that begins there and behind `start`."""

    __slots__ = ("_end", "_guard", "_ids")

    def __init__(self) -> None:
        self._end = 0
        self._guard = b""
        self._ids: set[bytes] = set()

    def ids(self, descriptor: int, start: int, size: int) -> set[bytes] | None:
        """Of the file between `start` and `size`, its end, and perhaps in front of that; None: they are too many, and nothing is remembered."""
        begin = self._end
        if size < begin or os.pread(descriptor, len(self._guard), begin - len(self._guard)) != self._guard:
            begin, self._ids = 0, set()
        begin = max(start, begin - _LONGEST)
        place = begin // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY
        if place < size:
            with mmap.mmap(descriptor, size - place, access=mmap.ACCESS_READ, offset=place) as content:
                told = islice(_ID.finditer(content, begin - place), _MOST_IDS + 1)
                self._ids.update(found[1] for found in told)
        if len(self._ids) > _MOST_IDS:
            self._end, self._guard, self._ids = 0, b"", set()
            return None
        self._end = size
        length = min(_GUARD, size)
        self._guard = os.pread(descriptor, length, size - length)
        return self._ids


class SearchedFiles:
    """Of one process."""

    def __init__(self) -> None:
        self._files: OrderedDict[tuple[int, int], _File | None] = OrderedDict()
        """By device and inode; None: it was searched once."""

    def may_hold(self, descriptor: int, status: os.stat_result, proof: bytes, start: int) -> bool:
        """False: `proof`, which tells its message's id, is not in the file from `start` on. Raises OSError."""
        told = _ID.findall(proof)
        if not told:
            return True
        key = status.st_dev, status.st_ino
        if key not in self._files:
            self._files[key] = None
            if len(self._files) > _MOST_FILES:
                self._files.popitem(last=False)
            return True
        self._files.move_to_end(key)
        file = self._files[key] = self._files[key] or _File()
        ids = file.ids(descriptor, start, status.st_size)
        return ids is None or told[-1] in ids
