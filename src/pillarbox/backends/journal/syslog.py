"""Log lines to syslog (Exim 53.4): RFC 3164 datagrams to /dev/log.

Long entries and those of several lines are divided, each piece with its number in front: `[2/5]` was cut for length, `[2\\5]` at a newline.
Nothing waits: what the system's logger cannot take is lost, as it would be on the way to another host.
"""

from __future__ import annotations

import socket
import sys
import time

import msgspec

LONGEST = 870
"""Characters of one piece."""
FACILITIES = {
    "user": 1,
    "mail": 2,
    "daemon": 3,
    "news": 7,
    "uucp": 8,
    **{f"local{n}": 16 + n for n in range(8)},
}
PRIORITIES = {"main": 6, "reject": 5, "panic": 1}
"""LOG_INFO, LOG_NOTICE, LOG_ALERT."""


class SyslogStyle(msgspec.Struct, frozen=True, kw_only=True):
    """`syslog_facility`, `syslog_processname`, `syslog_pid`, `syslog_timestamp`, `syslog_duplication`."""

    facility: str = "mail"
    name: str = "exim"
    has_pid: bool = True
    has_timestamp: bool = True
    is_duplicated: bool = True
    """Lines that belong to two logs are sent twice."""
    is_told: bool = False
    """Nothing is sent; pieces go to standard error as `SYSLOG: '…'` for a test harness."""


class Syslog:
    """Gathers entries until they are sent, so that what belongs to two logs can be sent once."""

    __slots__ = ("_entries", "_path", "_pid", "_socket", "_style")

    def __init__(self, style: SyslogStyle, pid: int, path: str = "/dev/log") -> None:
        self._style = style
        self._pid = pid
        self._path = path
        self._entries: list[tuple[str, str, str]] = []
        self._socket: socket.socket | None = None

    def add(self, log: str, stamp: str, text: str) -> None:
        """`log`: main, reject or panic; `text` may have several lines in the reject log."""
        self._entries.append((log, stamp, text))

    def send(self) -> None:
        """Never raises, never waits."""
        entries, self._entries = self._entries, []
        if not self._style.is_duplicated:
            entries = _once(entries)
        for log, stamp, text in entries:
            shown = f"{stamp} {text}" if self._style.has_timestamp else text
            for piece in pieces(shown):
                self._write(log, piece)

    def close(self) -> None:
        self.send()
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _write(self, log: str, piece: str) -> None:
        style = self._style
        if style.is_told:
            print(f"SYSLOG: '{piece}'", file=sys.stderr, flush=True)
            return
        priority = FACILITIES[style.facility] * 8 + PRIORITIES[log]
        pid = f"[{self._pid}]" if style.has_pid else ""
        now = time.localtime()
        stamp = time.strftime(f"%b {now.tm_mday:2d} %H:%M:%S", now)
        data = f"<{priority}>{stamp} {style.name}{pid}: {piece}".encode("utf-8", "surrogateescape")
        try:
            self._opened().send(data)
        except BlockingIOError:
            return
        except OSError:
            if self._socket is not None:
                self._socket.close()
            self._socket = None  # the logger may have been started anew: the next line tries again

    def _opened(self) -> socket.socket:
        if self._socket is None:
            made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            made.setblocking(False)
            try:
                made.connect(self._path)
            except OSError:
                made.close()
                raise
            self._socket = made
        return self._socket


def _once(entries: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Without the main log's copy of what stands in another log too."""
    elsewhere = {text.partition("\n")[0] for log, _, text in entries if log != "main"}
    return [each for each in entries if each[0] != "main" or each[2] not in elsewhere]


def pieces(text: str) -> list[str]:
    """`text` as it is, or divided and numbered."""
    if len(text) <= LONGEST and "\n" not in text:
        return [text]
    cut: list[tuple[str, str]] = []
    for line in text.rstrip("\n").split("\n"):
        parts = [line[at : at + LONGEST] for at in range(0, len(line), LONGEST)] or [""]
        cut.extend((part, "/") for part in parts[:-1])
        cut.append((parts[-1], "\\"))
    cut[-1] = (cut[-1][0], "/")
    return [f"[{number}{mark}{len(cut)}] {part}" for number, (part, mark) in enumerate(cut, 1)]
