"""Exim's log files: mainlog, rejectlog, paniclog in one directory (Exim chapter 53), message logs in the spool.

Writing a line appends to a list; the list goes to the file within 50 ms or when it has 64 KiB, whichever is first. Without a running
event loop (in commands) every line is written at once. Time stamps are local time as Exim's, computed once a second.
With `%D` or `%M` in the path the lines go to new files at midnight. The same lines can go to syslog too, or only there.
Structured events stay in memory, the latest 10,000: what explains decisions later reads them there.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable

from pillarbox.backends.journal.debug_file import write_debug
from pillarbox.backends.journal.logfile import LogFile
from pillarbox.backends.journal.memory import one_line
from pillarbox.backends.journal.msglog import AGE, USUAL_HABITS, MessageLogHabits, MessageLogs
from pillarbox.backends.journal.paths import LogTargets
from pillarbox.backends.journal.syslog import Syslog, SyslogStyle
from pillarbox.ports.clock import Clock
from pillarbox.ports.journal import Event, LineStamp
from pillarbox.wire.exim.log_line import with_topbit
from pillarbox.wire.exim.message_id import is_message_id
from pillarbox.wire.exim.message_log import BEGIN, UNSTAMPED

DELAY = 0.05
GATHER = 64 * 1024
MAX_EVENTS = 10_000
LOGS = ("main", "reject", "panic")
USUAL_STAMP = LineStamp()


class FileJournal:
    """Logs in `log_directory`; message logs below `spool_directory`. Both must exist."""

    def __init__(
        self,
        log_directory: str,
        spool_directory: str,
        clock: Clock,
        stamp: LineStamp = USUAL_STAMP,
        *,
        targets: LogTargets | None = None,
        syslog: SyslogStyle | None = None,
        has_reject_log: bool = True,
        message_logs: MessageLogHabits = USUAL_HABITS,
        shows_topbit: bool = False,
        echo: Callable[[str], None] | None = None,
    ) -> None:
        """`targets`: in place of the usual files in `log_directory`. `shows_topbit`: bytes above 127 are written as they are. `echo`: hears
        what the panic log is told, with its time."""
        self._echo = echo
        self._shows_topbit = shows_topbit
        self.queue_of: Callable[[str], str] = lambda _: ""
        """The name of the queue that a message is in: the spool knows."""
        self.events: deque[Event] = deque(maxlen=MAX_EVENTS)
        self._clock = clock
        self._targets = targets or LogTargets(f"{log_directory}/%slog")
        self._files = {log: LogFile(self._targets.path_of(log, clock.now())) for log in LOGS}
        self._has_files = bool(self._targets.pattern)
        self._syslog = Syslog(syslog or SyslogStyle(), os.getpid()) if self._targets.to_syslog else None
        self._has_reject_log = has_reject_log
        self._has_message_logs = message_logs.are_kept
        self._day = -1
        self.panics = 0
        self._message_logs = MessageLogs(spool_directory, message_logs)
        self._gathered = 0
        self._timer: asyncio.TimerHandle | None = None
        self._message_timer: asyncio.TimerHandle | None = None
        self._second = -1
        self._stamp = ""
        self._wanted = stamp
        self._process = f" [{os.getpid()}]" if stamp.has_process else ""

    def main(self, line: str) -> None:
        self._add("main", one_line(line))

    def reject(self, line: str) -> None:
        """Further lines (headers of the refused message) are kept; whoever gives them sees to it that none looks like an entry."""
        if self._has_reject_log:
            self._add("reject", line.replace("\r", "\\r").rstrip("\n"))

    def panic(self, line: str) -> None:
        self._add("main", one_line(line))
        self.panic_only(line)

    def panic_only(self, line: str) -> None:
        line = one_line(line)
        self.panics += 1
        self._add("panic", line)
        self.flush()
        if self._echo is not None:
            self._echo(f"{self._now()} {line}")

    def debug(self, tag: str, text: str | None) -> None:
        if self._has_files:
            write_debug(self._targets.path_of("debug", self._clock.now()) + tag, text)

    def event(self, event: Event) -> None:
        self.events.append(event)

    def message(self, message_id: str, line: str) -> None:
        if not self._has_message_logs or not is_message_id(message_id):
            return
        if self._shows_topbit:
            line = with_topbit(line)
        text = one_line(line) if line.startswith(UNSTAMPED) else f"{self._now()} {one_line(line)}"
        is_first = line.startswith(BEGIN)
        queue = self.queue_of(message_id)
        self._message_logs.add(message_id, text, self._clock.monotonic(), is_first=is_first, queue=queue)
        if self._message_timer is None:
            self._message_timer = self._call_later(AGE, self._write_message_logs)

    def flush(self) -> None:
        """Write out what has gathered."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._gathered = 0
        now = self._clock.monotonic()
        for file in self._files.values():
            file.write_out(now)
        if self._syslog is not None:
            self._syslog.send()

    def reopen(self) -> None:
        """After log rotation: the next lines go to the files that have the names now."""
        self.flush()
        for file in self._files.values():
            file.reopen()

    def close(self) -> None:
        self.flush()
        if self._message_timer is not None:
            self._message_timer.cancel()
        self._message_logs.write_out(self._clock.monotonic(), everything=True)
        for file in self._files.values():
            file.close()
        if self._syslog is not None:
            self._syslog.close()

    def message_done(self, message_id: str) -> None:
        if self._has_message_logs:
            self._message_logs.set_aside(message_id, self.queue_of(message_id))

    def _add(self, log: str, line: str) -> None:
        if self._shows_topbit:
            line = with_topbit(line)
        stamp = f"{self._now()}{self._process}"
        if self._has_files:
            self._files[log].lines.append(f"{stamp} {line}")
        if self._syslog is not None:
            self._syslog.add(log, stamp, line)
        self._gathered += len(line)
        if self._gathered > GATHER:
            self.flush()
        elif self._timer is None:
            self._timer = self._call_later(DELAY, self.flush)
            if self._timer is None:
                self.flush()

    def _now(self) -> str:
        """Without the process number: message logs have none."""
        now = self._clock.now()
        second = int(now)
        if second != self._second:
            self._second = second
            local = time.localtime(second)
            self._stamp = time.strftime("%Y-%m-%d %H:%M:%S", local)
            if self._targets.is_dated and local.tm_yday != self._day:
                self._begin_day(local.tm_yday, now)
        if self._wanted is USUAL_STAMP:
            return self._stamp
        fraction = f".{int(now * 1000) % 1000:03d}" if self._wanted.has_milliseconds else ""
        zone = time.strftime(" %z", time.localtime(second)) if self._wanted.has_timezone else ""
        return f"{self._stamp}{fraction}{zone}"

    def _begin_day(self, day: int, now: float) -> None:
        """What was said before midnight goes to the old files first."""
        if self._day >= 0:
            self.flush()
        self._day = day
        for log, file in self._files.items():
            file.move_to(self._targets.path_of(log, now))

    def _write_message_logs(self) -> None:
        self._message_timer = None
        self._message_logs.write_out(self._clock.monotonic())
        if not self._message_logs.is_empty:
            self._message_timer = self._call_later(AGE, self._write_message_logs)

    def _call_later(self, delay: float, work: Callable[[], None]) -> asyncio.TimerHandle | None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return None
        return loop.call_later(delay, work)
