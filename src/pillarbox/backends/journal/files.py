"""Exim's log files: mainlog, rejectlog, paniclog in one directory (Exim chapter 53), message logs in the spool.

Writing a line appends to a list; the list goes to the file within 50 ms or when it has 64 KiB, whichever is first. Without a running
event loop (in commands) every line is written at once. Time stamps are local time as Exim's, computed once a second.
Structured events stay in memory, the latest 10,000: what explains decisions later reads them there.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable

from pillarbox.backends.journal.logfile import LogFile
from pillarbox.backends.journal.memory import one_line
from pillarbox.backends.journal.msglog import AGE, MessageLogs
from pillarbox.ports.clock import Clock
from pillarbox.ports.journal import Event, LineStamp
from pillarbox.wire.exim.message_id import is_message_id

DELAY = 0.05
GATHER = 64 * 1024
MAX_EVENTS = 10_000
USUAL_STAMP = LineStamp()


class FileJournal:
    """Logs in `log_directory`; message logs below `spool_directory`. Both must exist."""

    def __init__(
        self, log_directory: str, spool_directory: str, clock: Clock, stamp: LineStamp = USUAL_STAMP
    ) -> None:
        self.events: deque[Event] = deque(maxlen=MAX_EVENTS)
        self._clock = clock
        self._main = LogFile(f"{log_directory}/mainlog")
        self._reject = LogFile(f"{log_directory}/rejectlog")
        self._panic = LogFile(f"{log_directory}/paniclog")
        self._message_logs = MessageLogs(spool_directory)
        self._gathered = 0
        self._timer: asyncio.TimerHandle | None = None
        self._message_timer: asyncio.TimerHandle | None = None
        self._second = -1
        self._stamp = ""
        self._wanted = stamp
        self._process = f" [{os.getpid()}]" if stamp.has_process else ""

    def main(self, line: str) -> None:
        self._add(self._main, one_line(line))

    def reject(self, line: str) -> None:
        """Further lines (headers of the refused message) are kept, indented, so that none looks like an entry."""
        self._add(self._reject, line.replace("\r", "\\r").rstrip("\n").replace("\n", "\n  "))

    def panic(self, line: str) -> None:
        line = one_line(line)
        self._add(self._main, line)
        self._add(self._panic, line)
        self.flush()

    def event(self, event: Event) -> None:
        self.events.append(event)

    def message(self, message_id: str, line: str) -> None:
        if not is_message_id(message_id):
            return
        self._message_logs.add(message_id, f"{self._now()} {one_line(line)}", self._clock.monotonic())
        if self._message_timer is None:
            self._message_timer = self._call_later(AGE, self._write_message_logs)

    def flush(self) -> None:
        """Write out what has gathered."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._gathered = 0
        now = self._clock.monotonic()
        for file in (self._main, self._reject, self._panic):
            file.write_out(now)

    def reopen(self) -> None:
        """After log rotation: the next lines go to the files that have the names now."""
        self.flush()
        for file in (self._main, self._reject, self._panic):
            file.reopen()

    def close(self) -> None:
        self.flush()
        if self._message_timer is not None:
            self._message_timer.cancel()
        self._message_logs.write_out(self._clock.monotonic(), everything=True)
        for file in (self._main, self._reject, self._panic):
            file.close()

    def _add(self, file: LogFile, line: str) -> None:
        file.lines.append(f"{self._now()} {line}")
        self._gathered += len(line)
        if self._gathered > GATHER:
            self.flush()
        elif self._timer is None:
            self._timer = self._call_later(DELAY, self.flush)
            if self._timer is None:
                self.flush()

    def _now(self) -> str:
        now = self._clock.now()
        second = int(now)
        if second != self._second:
            self._second = second
            self._stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))
        if self._wanted is USUAL_STAMP:
            return self._stamp
        fraction = f".{int(now * 1000) % 1000:03d}" if self._wanted.has_milliseconds else ""
        zone = time.strftime(" %z", time.localtime(second)) if self._wanted.has_timezone else ""
        return f"{self._stamp}{fraction}{zone}{self._process}"

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
