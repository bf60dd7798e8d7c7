"""Where things lie, what is logged, and how much room must be left (Exim chapters 14, 51 and 52)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pillarbox.config.declare import MainOptions, Unready, derived, option
from pillarbox.config.errors import CombinationError, OptionError
from pillarbox.config.kinds import Duration, Kilobytes, LogSelector, Words
from pillarbox.config.log_selector import SELECTORS
from pillarbox.language.expand.template import Template
from pillarbox.language.match.hosts import HostList
from pillarbox.wire.exim.log_style import ACTED_ON, USUAL, LogStyle, log_style

_DATE = re.compile("%[DM]")
FACILITIES = frozenset(("mail", "user", "news", "uucp", "daemon", *(f"local{n}" for n in range(8))))
"""Facilities of syslog that mail may be logged to."""


class Files(MainOptions):
    """Where things lie."""

    spool_directory: str = option(default="/var/spool/exim4", doc="Queue, journal and hints.")
    log_file_path: str = option(
        default="", doc="Log files with %s for main, reject, panic; empty: below the spool directory."
    )
    accounts_file: str = option(
        default="", doc="Accounts: names, password hashes, directories.", extension=True
    )
    mail_directory: str = option(default="", doc="Where accounts' mailboxes lie.", extension=True)
    pid_file_path: Template = option(
        default="/run/exim4/exim.pid", doc="The file that holds the daemon's process number."
    )
    process_log_path: str | None = option(
        default=None,
        doc="Where processes write what they are doing when they get the signal USR1, for exiwhat.",
    )
    notifier_socket: Template = option(
        default="$spool_directory/exim_daemon_notify",
        doc="Socket by which other processes wake the daemon.",
        inert="noted",
    )
    split_spool_directory: bool = option(default=False, doc="Spread the queue over sixty-two directories.")
    spool_wireformat: bool = option(default=False, doc="Keep bodies with CRLF, as they came.", inert="noted")
    keep_malformed: Duration = option(default="4d", doc="Keep spool files that cannot be read for this long.")
    check_spool_space: Kilobytes = option(
        default=10485760, doc="Accept no message with less room for the queue."
    )
    check_spool_inodes: int = option(default=100, doc="Accept no message with fewer inodes for the queue.")
    check_log_space: Kilobytes = option(
        default=10485760, doc="Accept no message with less room for the logs."
    )
    check_log_inodes: int = option(default=100, doc="Accept no message with fewer inodes for the logs.")
    smtp_check_spool_space: bool = option(default=True, doc="Compare SIZE= of MAIL with the room there is.")

    def __post_init__(self) -> None:
        if not self.process_log_path:
            object.__setattr__(self, "process_log_path", f"{self.spool_directory}/exim-process.info")
        if "$" not in self.log_file_path:
            _check_log_path(self.log_file_path)

    def unready(self) -> Iterator[Unready]:
        if "$" in self.spool_directory:
            yield Unready("spool_directory", "paths are not expanded yet")


def _check_log_path(text: str) -> None:
    """Each path has one `%s`, and perhaps `%D` or `%M` (Exim 53.1). Raises CombinationError."""
    for path in (item.strip() for item in text.split(":")):
        if path in ("", "syslog"):
            continue
        if "%s" not in path:
            raise CombinationError(f'log_file_path "{path}" does not contain "%s"')
        if "%" in _DATE.sub("", path.replace("%s", "", 1), count=1):
            raise CombinationError(f'log_file_path "{path}" contains unexpected "%" character')


class Logging(MainOptions):
    """What is logged, and how."""

    style: LogStyle = derived(init=False)

    log_selector: LogSelector | None = option(default=None, doc="What to log more, or less: +thing -thing.")
    log_timezone: bool = option(default=False, doc="Write the time zone behind each time.")
    log_ports: Words | None = option(
        default=None, doc="Ports for which the local port is logged.", inert="noted"
    )
    timezone: str = option(
        default="", doc="TZ for the program; empty: the machine's own zone, whatever TZ says."
    )
    hosts_connection_nolog: HostList | None = option(
        default=None, doc="Hosts whose connections are not logged."
    )
    message_logs: bool = option(default=True, doc="Keep a log of its own for each message in the queue.")
    preserve_message_logs: bool = option(default=False, doc="Keep those logs when the message has left.")
    write_rejectlog: bool = option(
        default=True, doc="Log what was rejected, with headers, in a file of its own."
    )
    print_topbitchars: bool = option(default=False, doc="Show bytes above 127 in logs as they are.")
    slow_lookup_log: int = option(
        default=0, doc="Log DNS lookups that take more milliseconds than this; 0: none."
    )
    syslog_duplication: bool = option(default=True, doc="Send to syslog too what belongs to two logs.")
    syslog_facility: str | None = option(default=None, doc="Which facility of syslog to use; unset: mail.")
    syslog_pid: bool = option(default=True, doc="Put the process number into syslog lines.")
    syslog_processname: str = option(default="exim", doc="Our name in syslog.")
    syslog_timestamp: bool = option(default=True, doc="Put the time into syslog lines.")
    panic_coredump: bool = option(default=False, doc="Leave a core dump at an internal error.", inert="noted")
    debug_store: bool = option(default=False, doc="Check memory as debugging Exim does.", inert="noted")

    def __post_init__(self) -> None:
        facility = self.syslog_facility
        if facility is not None and facility.lower() not in FACILITIES:
            raise OptionError(f'failed to interpret syslog_facility "{facility}"')
        style = log_style(self.log_selector, SELECTORS) if self.log_selector else USUAL
        object.__setattr__(self, "style", style)

    def noted(self) -> Iterator[Unready]:
        """Items of `log_selector` that change nothing yet."""
        if missing := sorted((self.style.selected ^ USUAL.selected) - ACTED_ON - {"all"}):
            yield Unready("log_selector", f"no effect yet: {', '.join(missing)}")
