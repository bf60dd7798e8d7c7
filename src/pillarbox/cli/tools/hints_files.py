"""The hints as Exim's tools show them: keys, error numbers, times (Exim 54.11)."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path

import apsw
import msgspec

from pillarbox.wire.exim.error_numbers import LETTERS, NUMBERS, UNNAMED, further_of

RETRY = "retry"
"""`number_117`: an error that somebody has set and that has no name here."""


class Entry(msgspec.Struct, frozen=True):
    """One retry record."""

    key: str
    first_failed: float
    last_tried: float
    next_try: float
    is_expired: bool
    error: str
    text: str

    @property
    def number(self) -> int:
        """Exim's error number; -1 for what has none, 0 for a refusal by the host itself."""
        error = self._without_record
        name, _, letter = error.rpartition("_")
        if name == UNNAMED:
            return int(letter)
        if not name and letter in ("A", "MX"):
            return 0
        return NUMBERS.get(error, NUMBERS.get(name, -1))

    @property
    def further(self) -> int:
        """What a rule may ask for besides: `A` or `MX`, the last digits of a response."""
        error = self._without_record
        is_response = "_4xx_" in error or error.startswith("_")
        detail = error.rpartition("_")[2]
        if error.startswith("quota_") and detail.isdecimal():
            return int(detail)
        return further_of(detail, is_response=is_response, is_by_mx=error != self.error)

    @property
    def _without_record(self) -> str:
        """A temporary response without the record that has led to the host: `mail_4xx_451_MX`."""
        shorter = self.error.removesuffix("_MX")
        return shorter if shorter.rpartition("_")[2].isdecimal() else self.error


def error_name(number: int, further: int) -> str | None:
    """The name that has them as `Entry` tells them; None: there is none with such further data."""
    name = next((name for name, known in NUMBERS.items() if known == number), f"{UNNAMED}_{number}")
    candidates = [name, *(f"{name}_{letter}" if name else letter for letter in LETTERS)]
    if name == "quota":
        candidates.append(f"{name}_{further}")
    if name.endswith("_4xx"):
        response = f"{name}_{further >> 8:02d}"
        candidates += [response, f"{response}_MX"]
    for candidate in candidates:
        entry = Entry("", 0, 0, 0, False, candidate, "")
        if (entry.number, entry.further) == (number, further):
            return candidate
    return None


class NoHints(Exception):
    """There is no such data base; `str()` is Exim's complaint."""


class UnreadHints(NoHints):
    """There may be one, but it is not for us, or not to be understood."""


def path_of(spool: Path, name: str) -> Path:
    """Of the data base `retry`. Raises NoHints for others, which do not exist here, and as `existing` does."""
    if name != RETRY:
        raise missing(spool, name)
    return existing(spool, name, f"{name}.sqlite")


def existing(spool: Path, name: str, file: str) -> Path:
    """The file that holds this data base. Raises NoHints when there is none, UnreadHints when it may not be read."""
    path = spool / "db" / file
    try:
        path.stat()
        if not os.access(path, os.R_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except FileNotFoundError:
        raise missing(spool, name) from None
    except OSError as error:
        raise UnreadHints(_complaint(spool, name, error.strerror or str(error))) from error
    return path


def missing(spool: Path, name: str) -> NoHints:
    return NoHints(_complaint(spool, name, "No such file or directory"))


def _complaint(spool: Path, name: str, why: str) -> str:
    return f"** Failed to open hintsdb file {spool}/db/{name} for reading: {why}"


def is_name(name: str) -> bool:
    """Whether Exim has such a data base."""
    return name in ("retry", "misc", "callout", "ratelimit", "tls", "seen") or name.startswith("wait-")


def entries(path: Path) -> Iterator[Entry]:
    """By key. Raises UnreadHints."""
    try:
        with apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY) as connection:
            query = "SELECT key, first_failed, last_tried, next_try, is_expired, error, text FROM retry ORDER BY key"
            for row in connection.execute(query):
                yield Entry(*row[:4], bool(row[4]), *row[5:])  # type: ignore[call-arg]
    except apsw.Error as error:
        raise UnreadHints(f"** Failed to read {path}: {error}") from error


def stamp(seconds: float, *, in_utc: bool = False) -> str:
    """`22-Nov-2026 22:21:14`."""
    return time.strftime("%d-%b-%Y %H:%M:%S", time.gmtime(seconds) if in_utc else time.localtime(seconds))
