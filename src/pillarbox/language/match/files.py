"""Lists kept in a file: an item that begins with `/` (Exim 10.2.2).

Each line is one item, perhaps negated; empty lines and comments do not count. In domain and host lists a `#` begins a comment
wherever it stands; local parts may hold one, so there it must be at the beginning or behind white space. Lines are not expanded; `+name`,
file names and special items mean nothing in them.

A file is read when a list first asks and again when it has changed. Bounded: its size, how many are kept.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections import OrderedDict
from pathlib import Path

import msgspec

from pillarbox.language.expand.errors import ExpansionDeferred
from pillarbox.language.expand.scope import Services
from pillarbox.language.match.items import SPACE, Item, item_of

MAX_FILE = 64 * 1024 * 1024
_KEPT_FILES = 64
_COMMENT = re.compile(r"#.*", re.DOTALL)
_SPACED_COMMENT = re.compile(r"(?:^|(?<=[ \t\n\v\f\r]))#.*", re.DOTALL)
_Stamp = tuple[int, int, int]


class Content:
    """What a file held when it was read; another object when it has changed."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def items(self, *, has_spaced_comments: bool) -> list[Item]:
        """Its lines as items; positions count lines from 0."""
        comment = _SPACED_COMMENT if has_spaced_comments else _COMMENT
        found: list[Item] = []
        for number, line in enumerate(self.text.split("\n")):
            if "#" in line:
                line = comment.sub("", line)
            line = line.strip(SPACE)
            if line:
                found.append(item_of(line, number))
        return found


_kept: OrderedDict[str, tuple[_Stamp, Content]] = OrderedDict()


class ListFile(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The present content of the file `path`, of the list `source`."""

    path: str
    source: str

    def answer_now(self, services: Services) -> Content:
        known = _kept.get(self.path)
        try:
            if known is not None and known[0] == _stamp(os.stat(self.path)):
                return known[1]
        except OSError as error:
            raise self._trouble(error) from None
        raise BlockingIOError

    async def answer(self, services: Services) -> Content:
        stamp, text = await asyncio.to_thread(self._read)
        content = Content(text)
        _kept[self.path] = (stamp, content)
        _kept.move_to_end(self.path)
        if len(_kept) > _KEPT_FILES:
            _kept.popitem(last=False)
        return content

    def _read(self) -> tuple[_Stamp, str]:
        try:
            with Path(self.path).open("rb") as file:
                stamp = _stamp(os.fstat(file.fileno()))
                data = file.read(MAX_FILE + 1)
        except IsADirectoryError:
            return (0, 0, 0), ""
        except (OSError, ValueError) as error:
            raise self._trouble(error) from None
        if len(data) > MAX_FILE:
            raise ExpansionDeferred(f"{self.path} is larger than {MAX_FILE} bytes")
        return stamp, data.decode("utf-8", "surrogateescape")

    def _trouble(self, error: Exception) -> ExpansionDeferred:
        reason = getattr(error, "strerror", None) or str(error)
        return ExpansionDeferred(f'failed to open {self.path} when checking "{self.source}": {reason}')


def _stamp(status: os.stat_result) -> _Stamp:
    return status.st_mtime_ns, status.st_size, status.st_ino
