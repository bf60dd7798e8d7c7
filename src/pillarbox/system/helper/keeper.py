"""What keeps the root helper alive: a process that forks it, waits, and forks it again when it has died.

The daemon has given up root and could not make another. The keeper holds the helper's end of the channel, so what was asked for meanwhile waits
in it, and does nothing else: it reads no request. A helper that dies at once again is made at longer and longer intervals. Each death is told to
whoever listens first at the other end, who has a log.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 10.0
"""Seconds between a death and the next helper."""
SHORT_LIFE = 10.0
"""Who lives no longer makes the pause before the next twice as long."""


def keep(end: socket.socket, be_helper: Callable[[], NoReturn]) -> None:
    """Until a helper ends by itself, because nobody holds the other end any more."""
    pause = FIRST_PAUSE
    while True:
        began = time.monotonic()
        status = _live_once(be_helper)
        if status == 0:
            return
        lived = time.monotonic() - began
        pause = min(pause * 2, LONGEST_PAUSE) if lived < SHORT_LIFE else FIRST_PAUSE
        _tell(end, f"the root helper {_in_words(status)}: starting another")
        time.sleep(pause)


def _live_once(be_helper: Callable[[], NoReturn]) -> int:
    """How it ended, as wait(2) has it."""
    try:
        child = os.fork()
    except OSError as error:
        return (error.errno or 1) << 8
    if child == 0:
        be_helper()
    return os.waitpid(child, 0)[1]


def _in_words(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"was killed by signal {os.WTERMSIG(status)} ({signal.strsignal(os.WTERMSIG(status))})"
    return f"ended with status {os.WEXITSTATUS(status)}"


def _tell(end: socket.socket, text: str) -> None:
    with suppress(OSError):
        end.send(text.encode(), socket.MSG_DONTWAIT)
