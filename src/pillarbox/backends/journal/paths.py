"""`log_file_path` read (Exim 53.1, 53.3): which files the logs go to, and whether to syslog.

    /var/log/exim/%slog            mainlog, rejectlog, paniclog
    /var/log/exim/%slog-%D         mainlog-20260131, a new one each day; paniclog without a date
    syslog : /var/log/exim_%s      both
    (empty)                        %slog in `log` below the spool directory

A path without `%s` is refused when the configuration is loaded, unless an expansion has made it: then it is a directory.
"""

from __future__ import annotations

import re
import time

import msgspec

_DATE = re.compile(r"/%[DM][^A-Za-z0-9]?|[^A-Za-z0-9/]?%[DM]")


class LogTargets(msgspec.Struct, frozen=True):
    """Where log lines go."""

    pattern: str = ""
    """With `%s`, and perhaps `%D` or `%M`; empty: not to files."""
    to_syslog: bool = False
    problem: str = ""
    """For the panic log: there were too many paths."""

    @property
    def is_dated(self) -> bool:
        return "%D" in self.pattern or "%M" in self.pattern

    @property
    def directory(self) -> str:
        """Of the panic log; empty without files."""
        return self.path_of("panic", 0.0).rpartition("/")[0] if self.pattern else ""

    def path_of(self, log: str, now: float) -> str:
        """`log`: main, reject or panic. `now`: seconds since the epoch, for the date in local time."""
        if log == "panic":
            return _DATE.sub(_undated, self.pattern).replace("%s", log)
        path = self.pattern.replace("%s", log)
        if not self.is_dated:
            return path
        local = time.localtime(now)
        return path.replace("%D", time.strftime("%Y%m%d", local)).replace("%M", time.strftime("%Y%m", local))


def _undated(found: re.Match[str]) -> str:
    return "/" if found.group().startswith("/") else ""


def read_log_file_path(text: str, spool_directory: str) -> LogTargets:
    """`text`: the option, expanded."""
    usual = f"{spool_directory}/log/%slog"
    if not text.strip():
        return LogTargets(usual)
    items = [item.strip() for item in text.split(":")]
    patterns = [
        usual if not item else item if "%s" in item else f"{item}/%slog" for item in items if item != "syslog"
    ]
    problem = "More than one path given in log_file_path: using the first" if len(patterns) > 1 else ""
    return LogTargets(patterns[0] if patterns else "", "syslog" in items, problem)
