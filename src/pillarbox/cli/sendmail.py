"""`sendmail`: the command that programs have called for forty years, with the options they use."""

from __future__ import annotations

import sys

from pillarbox.cli import exim


def main() -> None:
    """`sendmail [-t] [-i] [-f sender] [-F name] [recipient …]`; `-bp`, `-bs`, `-q` and the rest as `exim`."""
    sys.exit(exim.run(sys.argv[1:], "sendmail"))
