"""`newaliases` and `exim -bi`: run `bi_command`; without one there is nothing to do (Exim 5.3).

Aliases are read from their text file, anew when it changes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from pillarbox.cli import exim


def main() -> None:
    sys.exit(exim.run(["-bi", *sys.argv[1:]], "newaliases"))


def run_bi_command(config: Path, alias_file: str, macros: Mapping[str, str]) -> int:
    """In our place and as the caller; returns only when there is no command, or it cannot be run."""
    from pillarbox.app.asking.loading import load_or_complain
    from pillarbox.flow.settings import LocalMail

    loaded = load_or_complain(config, macros)
    if loaded is None:
        return 1
    command = loaded.main(LocalMail).bi_command
    if not command:
        return 0
    os.setgid(os.getgid())
    os.setuid(os.getuid())
    try:
        os.execv(command, [command, *([alias_file] if alias_file else [])])
    except OSError as error:
        print(f"exim: exec of {command} failed: {error.strerror}", file=sys.stderr)
        return 1
