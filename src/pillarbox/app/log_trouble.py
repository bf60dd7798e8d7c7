"""A command whose main log cannot be written does nothing (Exim 53.1: what is not logged must not happen).

Exim finds that out at its first line, and gives up there; we look before the work begins, so that no message is taken by a command
that then fails. A daemon goes on, and keeps the lines until the log can be written again.
"""

from __future__ import annotations

import os

from pillarbox.app.asking.loading import stamped
from pillarbox.app.log_directory import unwritable_log
from pillarbox.app.world import open_journal
from pillarbox.config.model import Config
from pillarbox.system.clock import SystemClock

NO_PANIC_LOG = "exim: could not open panic log - aborting: see message(s) above"


def trouble_with_log(config: Config) -> str:
    """For the caller, in Exim's words; the panic log has it too, where that can be written. Empty: there is none."""
    clock = SystemClock()
    path = unwritable_log(config, "main", clock.now())
    if not path:
        return ""
    whose = f"euid={os.geteuid()} egid={os.getegid()}"
    line = f'Cannot open main log file "{path}": Permission denied: {whose}'
    if unwritable_log(config, "panic", clock.now()):
        return f"{stamped(line)}\n{NO_PANIC_LOG}"
    journal = open_journal(config, clock)
    journal.panic_only(line)
    journal.close()
    return stamped(line)
