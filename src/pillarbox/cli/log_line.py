"""A line in the main log from a command: `exim -z TEXT`, and what is logged about messages that are not there."""

from __future__ import annotations

from pathlib import Path

from pillarbox.app.configuration import ConfigSource
from pillarbox.app.world import open_journal
from pillarbox.cli.arguments import Arguments
from pillarbox.cli.places import fail
from pillarbox.config.errors import ConfigError
from pillarbox.system.clock import SystemClock


def write_log(config: Path, read: Arguments, line: str) -> int:
    """The exit code: 0. Ends the command when the log cannot be written."""
    source = ConfigSource(config, tuple(read.macros.items()), read.syslog_name)
    try:
        journal = open_journal(source.load(serving=False), SystemClock())
    except ConfigError as error:
        fail(str(error))
    except OSError as error:
        fail(f"exim: {error.filename}: {error.strerror}")
    journal.main(line)
    journal.close()
    return 0
