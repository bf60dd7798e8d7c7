"""`exiwhat`: what the mail server is doing now (Exim 54.1): asked of the daemon, no signals are sent."""

from __future__ import annotations

import sys

from pillarbox.cli.control_client import DaemonAway, ask
from pillarbox.cli.options import parse
from pillarbox.cli.places import choose_configuration, spool_directory
from pillarbox.wire.control import Status


def main() -> None:
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """0 also when nothing runs, as Exim's does."""
    read = parse(arguments, "exiwhat")
    spool = spool_directory(choose_configuration(read.config, None))
    try:
        for line in ask(spool, Status()):
            if line.text:
                print(line.text)
    except DaemonAway:
        print("No exim process data")
    return 0


if __name__ == "__main__":
    main()
