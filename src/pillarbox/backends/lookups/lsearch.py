"""lsearch: a text file of `key: value` lines, searched for the key (Exim 9.3).

The key ends at a colon or white space, or is in double quotes; lines that begin with white space continue the value; blank lines and
lines that begin with `#` are comments. Keys are compared without regard to case, and the first of equal ones counts.

A file is read once and kept as a dictionary; whether it has changed is asked of the file system at most once a second.
Bounded: size of a file, number of files kept.
"""

from __future__ import annotations

import asyncio
import os
import re
import stat
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from pillarbox.backends.lookups.driver import LookupWorld, SingleKey
from pillarbox.ports.clock import Clock
from pillarbox.ports.lookups import LookupDefer

MAX_FILE = 256 * 1024 * 1024
MAX_FILES = 100
RECHECK_AFTER = 1.0

_QUOTED_KEY = re.compile(r'"((?:[^"\\]|\\.)*)"\s*:?\s*(.*)', re.DOTALL)
_PLAIN_KEY = re.compile(r"([^\s:]+)\s*:?\s*(.*)", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class _Kept(NamedTuple):
    signature: tuple[int, int, int, int]
    entries: dict[str, str]
    checked_at: float
    """Monotonic seconds."""


class Lsearch(SingleKey):
    """Single-key lookup in text files. Implements `ports.lookups.Lookup`."""

    def __init__(self, clock: Clock, parse: Callable[[str], dict[str, str]] | None = None) -> None:
        self._clock = clock
        self._parse = parse or parse_lines
        self._files: OrderedDict[str, _Kept] = OrderedDict()

    def find_now(self, key: str, source: str, options: tuple[str, ...] = ()) -> str | None:
        """Raises BlockingIOError when the file must be read, LookupDefer when it cannot be."""
        kept = self._files.get(source)
        if kept is None:
            raise BlockingIOError
        now = self._clock.monotonic()
        if now - kept.checked_at > RECHECK_AFTER:
            if _signature(source) != kept.signature:
                raise BlockingIOError
            self._files[source] = kept = kept._replace(checked_at=now)
        return kept.entries.get(key.lower())

    async def find(self, key: str, source: str, options: tuple[str, ...] = ()) -> str | None:
        """Raises LookupDefer."""
        try:
            return self.find_now(key, source)
        except BlockingIOError:
            pass
        signature, entries = await asyncio.to_thread(self._read, source)
        self._files[source] = _Kept(signature, entries, self._clock.monotonic())
        if len(self._files) > MAX_FILES:
            self._files.popitem(last=False)
        return entries.get(key.lower())

    def _read(self, source: str) -> tuple[tuple[int, int, int, int], dict[str, str]]:
        if not source.startswith("/"):
            raise LookupDefer(f"failed to open {source} for linear search: not an absolute path")
        try:
            with open(source, "rb", opener=_open_regular) as file:
                status = os.fstat(file.fileno())
                if status.st_size > MAX_FILE:
                    raise LookupDefer(f"{source} is larger than {MAX_FILE} bytes")
                text = file.read(MAX_FILE).decode("utf-8", "surrogateescape")
        except (OSError, ValueError) as error:
            raise LookupDefer(f"failed to open {source} for linear search: {_why(error)}") from None
        return _signature_of(status), self._parse(text)


def _open_regular(path: str, flags: int) -> int:
    """A named pipe must not hold us up."""
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("not a regular file")
    return descriptor


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _signature(source: str) -> tuple[int, int, int, int]:
    try:
        return _signature_of(os.stat(source))
    except OSError as error:
        raise LookupDefer(f"failed to open {source} for linear search: {_why(error)}") from None


def _signature_of(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


def parse_lines(text: str) -> dict[str, str]:
    """Keys in lower case → values, continuation lines joined by a space."""
    entries: dict[str, str] = {}
    key: str | None = None
    for line in text.split("\n"):
        if not line or line[0] == "#":
            continue
        if line[0] in " \t":
            if key is not None and (more := line.strip()):
                entries[key] = f"{entries[key]} {more}"
            continue
        found = _split(line)
        key = None
        if found is not None and found[0] not in entries:
            key = found[0]
            entries[key] = found[1]
    return entries


def _split(line: str) -> tuple[str, str] | None:
    if line[0] == '"':
        quoted = _QUOTED_KEY.match(line)
        if quoted:
            return _ESCAPED.sub(r"\1", quoted.group(1)).lower(), quoted.group(2).strip()
    plain = _PLAIN_KEY.match(line)
    return (plain.group(1).lower(), plain.group(2).strip()) if plain else None


def make(kind: str, world: LookupWorld) -> Lsearch:
    return Lsearch(world.clock)
