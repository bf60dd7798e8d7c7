"""`exim_fixdb [-z] SPOOL NAME`: look at hint records one by one, change their fields, delete them (Exim 54.11.3).

`exim_fixdb -L FILE` does it with what `exim_dbmbuild` has made; such a record has field 0 alone.

At the prompt: the key of a record shows it; then `d` deletes it, a field's number with a value changes that field; `q` ends.
"""

from __future__ import annotations

import getopt
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import apsw
import msgspec

from pillarbox.backends.hints.records import SqliteRecords
from pillarbox.cli.tools.check_records import KINDS, RECORDS, shown
from pillarbox.cli.tools.dbm_file import DbmFile
from pillarbox.cli.tools.hints_files import (
    Entry,
    NoHints,
    entries,
    error_name,
    existing,
    is_name,
    path_of,
    stamp,
)
from pillarbox.cli.tools.running import carry_out
from pillarbox.flow.check import rate
from pillarbox.ports.hint_records import Database, HintRecord

KEYED_USAGE = "Usage: exim_fixdb -L <database-path>\n"
USAGE = """\
Usage: exim_fixdb [-z]  <spool-directory> <database-name>
  <database-name> = retry | misc | wait-<transport-name> | callout | ratelimit | tls | seen
"""
_FIELD = re.compile(r"(\d+)(?:\s+(.*))?")


class BadValue(Exception):
    """`str()` is the complaint."""


class NoField(BadValue):
    """There is no such field: the record is not shown again."""


class Base(Protocol):
    """One data base."""

    def lines(self, key: str) -> list[str] | None:
        """A record as it is shown; None: there is none."""
        ...

    def change(self, key: str, field: int, value: str) -> None:
        """Raises BadValue."""
        ...

    def delete(self, key: str) -> None: ...


def main() -> None:
    carry_out(run)


def run(arguments: list[str]) -> int:
    try:
        pairs, words = getopt.getopt(arguments, "zL")
        if ("-L", "") in pairs:
            return _run_keyed(words)
        spool, name = words
        if not is_name(name):
            raise ValueError
    except (getopt.GetoptError, ValueError):
        print(USAGE, end="")
        return 1
    print(f"Modifying Exim hints database {spool}/db/{name}")
    try:
        return _converse(_open(Path(spool), name, in_utc=("-z", "") in pairs), NoHints())
    except NoHints as absent:
        return _converse(None, absent)


def _run_keyed(words: list[str]) -> int:
    if len(words) != 1:
        print(f"{KEYED_USAGE}\n{USAGE}", end="")
        return 1
    print(f"Modifying Exim dbm database {words[0]}")
    try:
        return _converse(_Keyed(Path(words[0])), NoHints())
    except NoHints as absent:
        return _converse(None, absent)


def _converse(base: Base | None, absent: NoHints) -> int:
    key = ""
    for line in _typed():
        if line == "q":
            return 0
        key = _obey(base, absent, key, line)
    print()
    return 0


def _typed() -> Iterator[str]:
    while True:
        print("> ", end="", flush=True)
        line = sys.stdin.readline()
        if not line:
            return
        yield line.strip()


def _obey(base: Base | None, absent: NoHints, key: str, line: str) -> str:
    """The key of the record that is at hand from now on."""
    if base is None:
        print(absent)
        return ""
    is_field = line == "d" or line.startswith("d ") or (line[:1].isdigit() and base.lines(line) is None)
    if not is_field:
        return _show(base, line)
    if not key:
        print("No previous record name is set")
    elif line == "d":
        base.delete(key)
        print("deleted")
        return ""
    elif line.startswith("d"):
        print('unexpected value after "d"')
    else:
        _set_field(base, key, line)
    return key


def _show(base: Base, key: str) -> str:
    lines = base.lines(key)
    if lines is None:
        print(f"record {key} not found")
        return ""
    print("\n".join(lines))
    return key


def _set_field(base: Base, key: str, line: str) -> None:
    found = _FIELD.fullmatch(line)
    if found is None:
        print("field number or d expected")
        return
    if not found[2]:
        print("value missing")
        return
    try:
        base.change(key, int(found[1]), found[2])
    except NoField as why:
        print(why)
        return
    except BadValue as bad:
        print(bad)
    print("\n".join(base.lines(key) or []))


def _open(spool: Path, name: str, *, in_utc: bool) -> Base:
    """Raises NoHints."""
    if name in KINDS:
        return _Records(existing(spool, name, RECORDS), name, in_utc=in_utc)
    return _Retry(path_of(spool, name), in_utc=in_utc)


def read_time(text: str) -> float:
    """`2401011200`, colons anywhere. Raises BadValue."""
    try:
        return time.mktime(time.strptime(text.replace(":", ""), "%y%m%d%H%M"))
    except ValueError:
        raise BadValue("bad time value") from None


def read_number(text: str) -> int:
    """What stands in front; 0 for no number at all."""
    found = re.match(r"\s*[+-]?\d+", text)
    return int(found[0]) if found is not None else 0


def renamed(error: str, field: int, number: int) -> str:
    """The name of an error whose number (field 0) or further data (field 1) is set. Raises BadValue."""
    entry = Entry("", 0, 0, 0, False, error, "")
    name = error_name(number, entry.further) if field == 0 else error_name(entry.number, number)
    if name is None:
        raise BadValue(f"no error has further data {number}")
    return name


class _Retry:
    def __init__(self, path: Path, *, in_utc: bool) -> None:
        self._path = path
        self._in_utc = in_utc

    def _entry(self, key: str) -> Entry | None:
        return next((entry for entry in entries(self._path) if entry.key == key), None)

    def lines(self, key: str) -> list[str] | None:
        entry = self._entry(key)
        if entry is None:
            return None
        times = [
            stamp(at, in_utc=self._in_utc) for at in (entry.first_failed, entry.last_tried, entry.next_try)
        ]
        return [
            times[1],
            f"0 error number: {entry.number} {entry.text}",
            f"1 extra data:   {entry.further}",
            f"2 first failed: {times[0]}",
            f"3 last try:     {times[1]}",
            f"4 next try:     {times[2]}",
            f"5 expired:      {'yes' if entry.is_expired else 'no'}",
        ]

    def change(self, key: str, field: int, value: str) -> None:
        columns = {2: "first_failed", 3: "last_tried", 4: "next_try"}
        if field == 5:
            if value not in ("yes", "no"):
                raise BadValue(f'"yes" or "no" expected={value}')
            self._write("UPDATE retry SET is_expired = ? WHERE key = ?", (value == "yes", key))
        elif field in columns:
            self._write(f"UPDATE retry SET {columns[field]} = ? WHERE key = ?", (read_time(value), key))
        elif field in (0, 1):
            entry = self._entry(key)
            error = renamed(entry.error if entry is not None else "", field, read_number(value))
            self._write("UPDATE retry SET error = ? WHERE key = ?", (error, key))
        else:
            raise NoField("unknown field number")

    def delete(self, key: str) -> None:
        self._write("DELETE FROM retry WHERE key = ?", (key,))

    def _write(self, statement: str, values: tuple[str | float | bool, ...]) -> None:
        with apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READWRITE) as connection:
            connection.set_busy_timeout(10_000)
            connection.execute(statement, values)


class _Records:
    """Callouts, rates, what was seen: only rates have fields that can be changed."""

    def __init__(self, path: Path, name: Database, *, in_utc: bool) -> None:
        self._records = SqliteRecords(path)
        self._name = name
        self._in_utc = in_utc

    def lines(self, key: str) -> list[str] | None:
        record = self._records.read(self._name, key)
        if record is None:
            return None
        at = stamp(record.at, in_utc=self._in_utc)
        if self._name != "ratelimit":
            return [at] if self._name == "seen" else [at, shown(self._name, key, record, in_utc=self._in_utc)]
        measure = rate.read(record) or rate.Measure(0.0)
        return [
            at,
            f"0 time stamp:  {at}",
            f"1 fract. time: .{int(record.at % 1 * 1e6):06d}",
            f"2 sender rate: {measure.rate: .3f}",
        ]

    def change(self, key: str, field: int, value: str) -> None:
        record = self._records.read(self._name, key)
        if self._name != "ratelimit" or record is None:
            raise BadValue("this record has no fields to change")
        changed = _changed_rate(record, field, value)
        self._records.change(self._name, key, lambda _: changed)

    def delete(self, key: str) -> None:
        self._records.forget(self._name, [key])


class _Keyed:
    """What `exim_dbmbuild` has made."""

    def __init__(self, path: Path) -> None:
        """Raises NoHints."""
        self._file = DbmFile(path)

    def lines(self, key: str) -> list[str] | None:
        data = self._file.get(key)
        return None if data is None else [f"0 value:  {data}"]

    def change(self, key: str, field: int, value: str) -> None:
        """Any number will do."""
        self._file.change(key, value)

    def delete(self, key: str) -> None:
        self._file.delete(key)


def _changed_rate(record: HintRecord, field: int, value: str) -> HintRecord:
    """Raises BadValue."""
    try:
        match field:
            case 0:
                return HintRecord(read_time(value), record.text)
            case 1:
                return HintRecord(int(record.at) + int(value) / 1e6, record.text)
            case 2:
                measure = rate.read(record) or rate.Measure(0.0)
                return rate.written(msgspec.structs.replace(measure, rate=float(value)), record.at)
            case _:
                raise NoField("unknown field number")
    except ValueError:
        raise BadValue("number expected") from None


if __name__ == "__main__":
    main()
