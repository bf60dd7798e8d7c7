"""`rsmtp`: batched SMTP on standard input, as UUCP delivers it: the same as `exim -bS`."""

from __future__ import annotations

import sys

from pillarbox.cli import exim


def main() -> None:
    sys.exit(exim.run(["-bS", *sys.argv[1:]], "rsmtp"))
