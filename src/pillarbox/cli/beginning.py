"""The beginning of every command that handles mail: what the caller's shell hands down must not decide what becomes of it."""

from __future__ import annotations

import contextlib
import os
import resource
from pathlib import Path

from pillarbox.cli.streams import carry_bytes, open_closed

UMASK = 0o022


def begin() -> None:
    """Streams, umask, directory and the size of files. What is kept for mail has modes of its own; Exim clears the umask, too."""
    open_closed()
    carry_bytes()
    os.umask(UMASK)
    _leave_what_is_gone()
    _lift_file_size()


def _leave_what_is_gone() -> None:
    try:
        Path.cwd()
    except OSError:
        os.chdir("/")


def _lift_file_size() -> None:
    """`ulimit -f` of a shell is not meant for spool and mailboxes. Only root gets beyond what is set for good."""
    unlimited = resource.RLIM_INFINITY
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for wanted in ((unlimited, unlimited), (hard, hard)):
        if soft == unlimited:
            return
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_FSIZE, wanted)
            return
