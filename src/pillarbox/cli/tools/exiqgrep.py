"""`exiqgrep`: messages of the queue that match (Exim 54.2). Reads the queue's files itself; `-E` is accepted and has nothing to do."""

from __future__ import annotations

import getopt
import re
import sys
import time
from collections.abc import Callable, Iterator

from pillarbox.backends.spool.reading import QueueReader
from pillarbox.cli.places import choose_configuration, spool_directory
from pillarbox.cli.queue_listing import shown_age, shown_size
from pillarbox.cli.tools.running import carry_out
from pillarbox.ports.spool import QueueEntry
from pillarbox.wire.exim.spool_header import SpoolFormatError

HELP = """\
Exim message queue display utility.

	-h		This help message.
	-C		Specify which exim.conf to use.
	-E		Specify exim binary to use.

Selection criteria:
	-f <regexp>	Match sender address sender (field is "< >" wrapped)
	-r <regexp>	Match recipient address
	-s <regexp>	Match against the size field from long output
	-y <seconds>	Message younger than
	-o <seconds>	Message older than
	-z		Frozen messages only (exclude non-frozen)
	-x		Non-frozen messages only (exclude frozen)
	-G <queuename>	Match in given queue only

[ NB: for regexps, provided string sits in /<string>/ ]

Display options:
	-c		Display match count
	-l		Long Format [Default]
	-i		Message IDs only
	-b		Brief Format
	-R		Reverse order
	-a		All recipients (including delivered)
"""
Test = Callable[[QueueEntry], bool]


def main() -> None:
    carry_out(run)


def run(arguments: list[str]) -> int:
    try:
        pairs, _ = getopt.gnu_getopt(arguments, "hf:r:y:o:s:zxlibRcaG:C:E:")
    except getopt.GetoptError as error:
        print(f"Unknown option: {error.opt}", file=sys.stderr)
        print(HELP, end="")
        return 0
    options = dict(pairs)
    if "-h" in options or not _selects(options):
        print(HELP, end="")
        return 0 if "-h" in options else 1
    now = time.time()
    try:
        tests = _tests(options, now)
    except re.error as error:
        print(f"exiqgrep: {error}", file=sys.stderr)
        return 255
    entries = list(_entries(options))
    found = [entry for entry in entries if all(test(entry) for test in tests)]
    if "-R" in options:
        found.reverse()
    if "-c" in options:
        print(f"{len(found)} matches out of {len(entries)} messages")
        return 0
    for entry in found:
        sys.stdout.write(_shown(entry, options, now))
    return 0


def _selects(options: dict[str, str]) -> bool:
    return bool(options.keys() & {"-f", "-r", "-s", "-y", "-o", "-z", "-x", "-c"})


def _entries(options: dict[str, str]) -> Iterator[QueueEntry]:
    spool = spool_directory(choose_configuration(options.get("-C"), None))
    reader = QueueReader(str(spool / options["-G"] if "-G" in options else spool))
    for message_id in reader.ids():
        try:
            entry = reader.entry(message_id)
        except SpoolFormatError:
            continue
        if entry is not None:
            yield entry


def _tests(options: dict[str, str], now: float) -> list[Test]:
    tests: list[Test] = []
    if "-f" in options:
        sender = re.compile(options["-f"], re.IGNORECASE)
        tests.append(lambda entry: bool(sender.search(f"<{entry.sender or ''}>")))
    if "-r" in options:
        recipient = re.compile(options["-r"], re.IGNORECASE)
        with_done = "-a" in options
        tests.append(
            lambda entry: any(recipient.search(one) for one in _recipients(entry, with_done=with_done))
        )
    if "-s" in options:
        size = re.compile(options["-s"])
        tests.append(lambda entry: bool(size.search(shown_size(entry.size).strip())))
    if "-y" in options:
        younger = float(options["-y"])
        tests.append(lambda entry: now - entry.received_at < younger)
    if "-o" in options:
        older = float(options["-o"])
        tests.append(lambda entry: now - entry.received_at > older)
    if "-z" in options:
        tests.append(lambda entry: entry.frozen_at is not None)
    if "-x" in options:
        tests.append(lambda entry: entry.frozen_at is None)
    return tests


def _recipients(entry: QueueEntry, *, with_done: bool) -> list[str]:
    """Those that are done have a `D` in front."""
    shown = []
    for address in entry.recipients:
        if address not in entry.settled:
            shown.append(address)
        elif with_done:
            shown.append(f"D {address}")
    return shown


def _shown(entry: QueueEntry, options: dict[str, str], now: float) -> str:
    recipients = _recipients(entry, with_done="-a" in options)
    sender = f"<{entry.sender or ''}>"
    if "-i" in options:
        return f"{entry.id}\n"
    if "-b" in options:
        return f"{entry.id} From: {sender} To: {';'.join(recipients)}\n"
    frozen = " *** frozen ***" if entry.frozen_at is not None else ""
    first = f"{shown_age(now - entry.received_at)} {shown_size(entry.size)} {entry.id} {sender}{frozen}\n"
    return first + "".join(f"\t  {one}\n" for one in recipients) + "\n"


if __name__ == "__main__":
    main()
