"""A line in the main log from a command: `exim -z TEXT`, and what is logged about messages that are not there."""

from __future__ import annotations

from pathlib import Path

from pillarbox.app.asking.loading import stamped
from pillarbox.app.configuration import ConfigSource
from pillarbox.app.log_trouble import trouble_with_log
from pillarbox.app.privilege import NoSuchUser, become_mail_user
from pillarbox.app.world import open_journal
from pillarbox.cli.arguments import Arguments
from pillarbox.cli.places import fail
from pillarbox.config.errors import ConfigError
from pillarbox.system.clock import SystemClock


def write_log(config: Path, read: Arguments, line: str) -> int:
    """The exit code: 0. Ends the command when the log cannot be written."""
    source = ConfigSource(config, tuple(read.macros.items()), read.syslog_name)
    try:
        loaded = source.load(serving=False)
        if trouble := trouble_with_log(loaded):
            fail(trouble)
        become_mail_user(loaded, config)  # a log that root makes would be closed to the others
        journal = open_journal(loaded, SystemClock())
    except ConfigError as error:
        fail(stamped(error.problems[0].exim_form))
    except NoSuchUser as error:
        fail(f"exim: {error}")
    except OSError as error:
        fail(f"exim: {error.filename}: {error.strerror}")
    journal.main(line)
    journal.close()
    return 0
