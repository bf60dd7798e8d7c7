"""`rmail`: what UUCP calls: a message on standard input, recipients as arguments (`exim -i -oee`)."""

from __future__ import annotations

import sys

from pillarbox.cli import exim


def main() -> None:
    sys.exit(exim.run(["-i", "-oee", *sys.argv[1:]], "rmail"))
