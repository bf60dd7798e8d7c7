"""`runq`: the same as `exim -q`."""

from __future__ import annotations

import sys

from pillarbox.cli import exim


def main() -> None:
    sys.exit(exim.run(["-q", *sys.argv[1:]], "runq"))
