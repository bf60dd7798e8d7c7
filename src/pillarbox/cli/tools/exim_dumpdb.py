"""`exim_dumpdb [-z] [-k] SPOOL retry`: what is known of hosts and addresses that failed (Exim 54.11.1).

Of Exim's data bases only `retry` exists here: who waits for which host is in the queue, and the other hints are not kept in files.
"""

from __future__ import annotations

import getopt
import sys
from pathlib import Path

from pillarbox.cli.tools.hints_files import NoHints, entries, path_of, stamp

USAGE = """\
Usage: exim_dumpdb [-z] [-k] <spool-directory> <database-name>
  -z: give times in UTC
  -k: dump keys
  <database-name> = retry | misc | wait-<transport-name> | callout | ratelimit | tls | seen
"""


def main() -> None:
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    try:
        pairs, words = getopt.getopt(arguments, "zk")
    except getopt.GetoptError:
        words, pairs = [], []
    if len(words) != 2:
        print(USAGE, end="")
        return 1
    flags = {name for name, _ in pairs}
    try:
        for entry in entries(path_of(Path(words[0]), words[1])):
            if "-k" in flags:
                print(f"  {entry.key}")
                continue
            times = (entry.first_failed, entry.last_tried, entry.next_try)
            print(f"  {entry.key} {entry.number} {entry.further} {entry.text}")
            shown = "  ".join(stamp(at, in_utc="-z" in flags) for at in times)
            print(f"{shown} {'*' if entry.is_expired else ''}")
    except NoHints as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    main()
