"""Where the log files lie."""

from __future__ import annotations

import os
from pathlib import Path

from pillarbox.app.harness import is_test_harness
from pillarbox.backends.journal.paths import LogTargets, read_log_file_path
from pillarbox.backends.journal.syslog import SyslogStyle
from pillarbox.config.model import Config
from pillarbox.flow.settings import Files, Logging
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template


def log_targets(config: Config) -> LogTargets:
    """`log_file_path`, expanded and read. Raises ExpandSyntaxError, ExpansionFailed."""
    files = config.main(Files)
    path = files.log_file_path
    if "$" in path:
        from pillarbox.app.services import quiet_services

        path = Template.parse(path).expand_now(Scope({}, quiet_services(config)))
    return read_log_file_path(path, files.spool_directory)


def log_directory_of(config: Config) -> Path:
    """The directory of the log files; where only syslog is used, that of the spool's logs."""
    return Path(log_targets(config).directory or f"{config.main(Files).spool_directory}/log")


def unwritable_log(config: Config, log: str, now: float) -> str:
    """The path of `log` (`main`, `panic`), where this process cannot write it. `now`: seconds since the epoch, for dates in names."""
    targets = log_targets(config)
    path = targets.path_of(log, now) if targets.pattern else ""
    return path if path and not _can_append(Path(path)) else ""


def _can_append(path: Path) -> bool:
    """To that file, or by making it and the directories that lack."""
    try:
        if path.exists():
            return not path.is_dir() and os.access(path, os.W_OK, effective_ids=True)
        parent = next(each for each in path.parents if each.exists())
    except OSError:
        return False
    return parent.is_dir() and os.access(parent, os.W_OK | os.X_OK, effective_ids=True)


def log_to_syslog(config: Config, name: str) -> None:
    """`-L name`: the lines go there under that name, and nowhere else (Exim 5.3)."""
    config.change_main(Files, log_file_path="syslog")
    config.change_main(Logging, syslog_processname=name)


def syslog_style(config: Config) -> SyslogStyle:
    logging = config.main(Logging)
    return SyslogStyle(
        facility=(logging.syslog_facility or "mail").lower(),
        name=logging.syslog_processname,
        has_pid=logging.syslog_pid,
        has_timestamp=logging.syslog_timestamp,
        is_duplicated=logging.syslog_duplication,
        is_told=is_test_harness(),
    )
