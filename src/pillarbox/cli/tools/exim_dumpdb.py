"""`exim_dumpdb [-z] [-k] SPOOL NAME`: what is known of hosts and addresses that failed, of senders, of callouts (Exim 54.11.1).

`exim_dumpdb -L FILE` shows what `exim_dbmbuild` has made.

Of Exim's data bases `retry`, `callout`, `ratelimit`, `seen`, `misc` and `wait-<transport>` exist here; what `tls`
keeps is known to the daemon alone.
"""

from __future__ import annotations

import getopt
from pathlib import Path

from pillarbox.cli.tools.check_records import is_kept, records_of, shown
from pillarbox.cli.tools.dbm_file import DbmFile
from pillarbox.cli.tools.hints_files import Entry, NoHints, entries, is_name, path_of, stamp
from pillarbox.cli.tools.running import carry_out

USAGE = """\
Usage: exim_dumpdb -L <database-path>

Usage: exim_dumpdb [-kz]  <spool-directory> <database-name>
  <database-name> = retry | misc | wait-<transport-name> | callout | ratelimit | tls | seen
"""


def main() -> None:
    carry_out(run)


def run(arguments: list[str]) -> int:
    try:
        pairs, words = getopt.getopt(arguments, "zkL")
    except getopt.GetoptError:
        words, pairs = [], []
    flags = {name for name, _ in pairs}
    if "-L" in flags:
        return _show_keyed(words, flags)
    if len(words) != 2 or not is_name(words[1]):
        print(USAGE, end="")
        return 1
    spool, name = Path(words[0]), words[1]
    try:
        if is_kept(name):
            for key, record in records_of(spool, name):
                print(f"  {key}" if "-k" in flags else shown(name, key, record, in_utc="-z" in flags))
        else:
            for entry in entries(path_of(spool, name)):
                print(f"  {entry.key}" if "-k" in flags else _lines(entry, in_utc="-z" in flags))
    except NoHints as error:
        print(error)
        return 1
    return 0


def _show_keyed(words: list[str], flags: set[str]) -> int:
    if len(words) != 1:
        print(USAGE, end="")
        return 1
    try:
        for key, data in DbmFile(Path(words[0])).entries():
            print(f"  {key}" if "-k" in flags else f"{key}\t{data}")
    except NoHints as error:
        print(error)
        return 1
    return 0


def _lines(entry: Entry, *, in_utc: bool) -> str:
    times = (entry.first_failed, entry.last_tried, entry.next_try)
    shown = "  ".join(stamp(at, in_utc=in_utc) for at in times)
    first = f"  {entry.key} {entry.number} {entry.further} {entry.text}"
    return f"{first}\n{shown} {'*' if entry.is_expired else ''}"


if __name__ == "__main__":
    main()
