"""`exiwhat`: what the mail server is doing now (Exim 54.1). The daemon is asked, which gathers it from its processes."""

from __future__ import annotations

import sys

from pillarbox.cli.arguments import Usage
from pillarbox.cli.control_client import DaemonAway, ask
from pillarbox.cli.options import parse
from pillarbox.cli.places import choose_configuration, spool_directory
from pillarbox.cli.tools.running import carry_out
from pillarbox.wire.control import Status


def main() -> None:
    carry_out(run)


def run(arguments: list[str]) -> int:
    """0 also when nothing runs, as Exim's does."""
    try:
        read = parse(arguments, "exiwhat")
    except Usage as error:
        print(f"exiwhat: {str(error).strip()}", file=sys.stderr)
        return 1
    spool = spool_directory(choose_configuration(read.config, None))
    is_said, code = False, 0
    try:
        for line in ask(spool, Status()):
            if line.text:
                print(line.text, file=sys.stderr if line.is_error else sys.stdout)
                is_said = True
            code = line.code
    except DaemonAway:
        pass
    if not is_said:
        print("No exim process data")
    return code


if __name__ == "__main__":
    main()
