"""One delivery into a mailbox, as who we are: the way in for the helper's desks and for a daemon without root."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from pillarbox.backends.userfiles.asking import ask_room
from pillarbox.backends.userfiles.comsat import tell_comsat
from pillarbox.backends.userfiles.maildir import deliver_maildir
from pillarbox.backends.userfiles.new_files import (
    remove_single,
    rename_single,
    write_mailstore,
    write_single,
)
from pillarbox.backends.userfiles.single_file import append
from pillarbox.backends.userfiles.stopping import Stopped, check_wanted, writing_trouble
from pillarbox.mail.message import Body
from pillarbox.ports.userfiles import FileResult, FileWork, NotWritten, Written


def deliver_file(
    work: FileWork, body: Body, is_wanted: Callable[[], bool] = lambda: True
) -> tuple[FileResult, int]:
    """The result, and the device that it lies on (0: nothing to be made durable). Never waits for a lock. `is_wanted`: whether the asker
    is still there, asked before anything is made, and again when the lock of a shared file is held."""
    try:
        if not work.path.startswith("/") or "\0" in work.path:
            return NotWritten(f'appendfile: file or directory name "{work.path}" is not absolute'), 0
        if work.is_question:
            return ask_room(work), 0
        check_wanted(is_wanted)
        result = _deliver(work, body, is_wanted)
    except Stopped as stopped:
        return stopped.result, 0
    except OSError as error:
        return writing_trouble(error, work.path).result, 0
    if work.comsat_user and work.kind in ("maildir", "mailstore", "single"):
        tell_comsat(work.comsat_user)
    return result


def _deliver(work: FileWork, body: Body, is_wanted: Callable[[], bool]) -> tuple[Written, int]:
    match work.kind:
        case "mbox" | "mbx":
            return append(work, body, is_wanted)
        case "maildir":
            return deliver_maildir(work, body)
        case "mailstore":
            return write_mailstore(work, body)
        case "single":
            return write_single(work, body)
        case "rename":
            return rename_single(work)
        case "remove":
            return remove_single(work)
    assert_never(work.kind)
