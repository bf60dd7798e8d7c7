"""One log file that several processes append to.

Lines gather in memory and go out in one `write` to a descriptor opened with O_APPEND, so that those of several workers never mix
within a line. A file that was renamed or removed (logrotate, exicyclog) is noticed within a second and a new one begun. When the disk
is full, lines wait in a bounded buffer; what does not fit is counted, and the count is the first line written when it works again.
"""

from __future__ import annotations

import os

LONGEST_BUFFER = 10_000
"""Lines."""


class LogFile:
    """`path`: opened at the first write, mode 0640 as Exim's (`log_mode`)."""

    def __init__(self, path: str, mode: int = 0o640) -> None:
        self.path = path
        self.lines: list[str] = []
        self.lost = 0
        self._mode = mode
        self._fd = -1
        self._unwritten = b""
        self._checked_at = float("-inf")

    def write_out(self, now: float) -> None:
        """Append what has gathered. `now`: monotonic seconds. Never raises: a log must not stop mail."""
        if not self.lines and not self._unwritten:
            return
        try:
            self._follow_name(now)
            self._write()
        except OSError:
            self._drop_surplus()

    def _write(self) -> None:
        self._push()
        if self.lost:
            self.lines.insert(
                0, f"{self.lines[0][:19] if self.lines else ''} {self.lost} log lines were lost: disk full?"
            )
            self.lost = 0
        if self.lines:
            self.lines.append("")
            self._unwritten = "\n".join(self.lines).encode("utf-8", "surrogateescape")
            self.lines.clear()
            self._push()

    def _push(self) -> None:
        while self._unwritten:
            self._unwritten = self._unwritten[os.write(self._fd, self._unwritten) :]

    def _follow_name(self, now: float) -> None:
        if self._fd >= 0 and now - self._checked_at < 1.0:
            return
        self._checked_at = now
        if self._fd >= 0 and self._is_in_place():
            return
        fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, self._mode)
        self.close()
        self._fd = fd

    def _is_in_place(self) -> bool:
        try:
            named, opened = os.stat(self.path), os.fstat(self._fd)
        except FileNotFoundError:
            return False
        return (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino)

    def _drop_surplus(self) -> None:
        surplus = len(self.lines) - LONGEST_BUFFER
        if surplus > 0:
            del self.lines[:surplus]
            self.lost += surplus

    def reopen(self) -> None:
        """Look at the name again at the next write."""
        self._checked_at = float("-inf")

    def move_to(self, path: str) -> None:
        """The next lines go to `path`."""
        if path != self.path:
            self.path = path
            self.reopen()

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
