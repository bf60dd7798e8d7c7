"""A line in the main log from a command: `exim -z TEXT`, and what is logged about messages that are not there."""

from __future__ import annotations

from pathlib import Path

from pillarbox.app.configuration import load_config
from pillarbox.app.world import open_journal
from pillarbox.cli.arguments import Arguments
from pillarbox.cli.places import fail
from pillarbox.config.errors import ConfigError
from pillarbox.system.clock import SystemClock


def write_log(config: Path, read: Arguments, line: str) -> int:
    """The exit code: 0. Ends the command when the log cannot be written."""
    try:
        journal = open_journal(load_config(config, read.macros, serving=False), SystemClock())
    except ConfigError as error:
        fail(str(error))
    except OSError as error:
        fail(f"exim: {error.filename}: {error.strerror}")
    journal.main(line)
    journal.close()
    return 0
