"""`mailq`: the same as `exim -bp`."""

from __future__ import annotations

import sys

from pillarbox.cli import exim


def main() -> None:
    sys.exit(exim.run(["-bp", *sys.argv[1:]], "mailq"))
