"""How writing to a mailbox stops short: the answer travels up as an exception within this folder, and is returned at its edge."""

from __future__ import annotations

import errno
from collections.abc import Callable

from pillarbox.ports.userfiles import FileResult, NotWritten


class Stopped(Exception):
    """Nothing was changed, or it was put back."""

    def __init__(self, result: FileResult) -> None:
        super().__init__()
        self.result = result


def stop(text: str, number: int = 0, *, is_frozen: bool = False) -> Stopped:
    """Wait, with Exim's words and number."""
    return Stopped(NotWritten(text, number, is_frozen=is_frozen))


def check_wanted(is_wanted: Callable[[], bool]) -> None:
    """Nothing is written for an asker who is gone: its successor has taken the message over, and writes it itself. Raises Stopped."""
    if not is_wanted():
        raise stop("nobody waits for this delivery any more")


def trouble(error: OSError, text: str) -> Stopped:
    """Exim's words; its log keeps the system's own to itself, except where they stand in the text."""
    return Stopped(NotWritten(text, error.errno or errno.EIO))


def writing_trouble(error: OSError, path: str) -> Stopped:
    """Full disks and quotas of the system are told apart for the retry rules."""
    code = error.errno or errno.EIO
    if code == errno.EDQUOT:
        return Stopped(NotWritten("mailbox is full", code, error="quota"))
    word = "disk_full" if code == errno.ENOSPC else ""
    return Stopped(NotWritten(f"error while writing to {path}", code, error=word))
