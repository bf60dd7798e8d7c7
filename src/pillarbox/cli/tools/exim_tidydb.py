"""`exim_tidydb [-t TIME] SPOOL NAME`: forget hints that are old, or of messages that are gone (Exim 54.11.2)."""

from __future__ import annotations

import getopt
import time
from pathlib import Path

import apsw

from pillarbox.backends.spool.reading import QueueReader
from pillarbox.cli.tools.check_records import KINDS, is_kept, tidy
from pillarbox.cli.tools.hints_files import Entry, NoHints, UnreadHints, entries, is_name, path_of
from pillarbox.cli.tools.running import carry_out
from pillarbox.config.errors import OptionError
from pillarbox.config.kinds import parse_duration
from pillarbox.ports.hint_records import RecordsBusy
from pillarbox.wire.exim.message_id import is_message_id

DAYS_30 = "30d"
USAGE = """\
Usage: exim_tidydb [-t <time>] <spool-directory> <database-name>
  <database-name> = retry | misc | wait-<transport-name> | callout | ratelimit | tls | seen"""


def main() -> None:
    carry_out(run)


def run(arguments: list[str]) -> int:
    try:
        pairs, words = getopt.getopt(arguments, "ft:")
        keep = parse_duration(dict(pairs).get("-t", DAYS_30))
        spool, name = words
        names = _data_bases(Path(spool), name)
    except (getopt.GetoptError, OptionError, ValueError):
        print(USAGE)
        return 1
    oldest = time.time() - keep
    return max((_told(spool, each, oldest) for each in names), default=0)


def _data_bases(spool: Path, name: str) -> tuple[str, ...]:
    """Daily jobs name every file in the directory: of ours, those that hold data bases are these, and the others need no tidying.
    Raises ValueError."""
    if is_name(name):
        return (name,)
    if "/" in name or not (spool / "db" / name).is_file():
        raise ValueError
    return {"retry.sqlite": ("retry",), "records.sqlite": tuple(sorted(KINDS))}.get(name, ())


def _told(spool: str, name: str, oldest: float) -> int:
    """The exit code."""
    print(f"Tidying Exim hints database {spool}/db/{name}")
    try:
        _tidy(Path(spool), name, oldest)
    except UnreadHints as error:
        print(error)
        return 1
    except NoHints:
        if not Path(spool, "db").is_dir():  # else it would have been made
            print(f"** Failed to open hintsdb file {spool}/db/{name} for writing: No such file or directory")
            return 1
    except (apsw.Error, RecordsBusy) as error:
        print(error)
        return 1
    print("Tidying complete")
    return 0


def _tidy(spool: Path, name: str, oldest: float) -> None:
    """Raises NoHints when there is nothing to tidy."""
    if is_kept(name):
        for key in tidy(spool, name, oldest):
            print(f"deleted {key} (too old)")
        return
    path = path_of(spool, name)
    waiting = set(QueueReader(str(spool)).ids())
    _forget(path, [entry.key for entry in entries(path) if _is_over(entry, oldest, waiting)])


def _is_over(entry: Entry, oldest: float, waiting: set[str]) -> bool:
    message_id = entry.key.rpartition(":")[2]
    if is_message_id(message_id) and message_id not in waiting:
        print(f"deleted {entry.key} (no message)")
        return True
    if entry.last_tried < oldest:
        print(f"deleted {entry.key} (too old)")
        return True
    return False


def _forget(path: Path, keys: list[str]) -> None:
    if not keys:
        return
    with apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE) as connection:
        connection.set_busy_timeout(10_000)
        connection.executemany("DELETE FROM retry WHERE key = ?", [(key,) for key in keys])


if __name__ == "__main__":
    main()
