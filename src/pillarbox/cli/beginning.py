"""The beginning of every command that handles mail: what the caller's shell hands down must not decide what becomes of it."""

from __future__ import annotations

import contextlib
import os
import resource
from pathlib import Path

from pillarbox.cli.streams import carry_bytes, open_closed

UMASK = 0o022
DESCRIPTORS = 32
"""With fewer a message cannot be taken and delivered."""
MANY_DESCRIPTORS = 1024


def begin() -> None:
    """Streams, umask, directory and the size of files. What is kept for mail has modes of its own; Exim clears the umask, too."""
    open_closed()
    carry_bytes()
    os.umask(UMASK)
    _leave_what_is_gone()
    _lift_file_size()
    _take_descriptors()


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


def _take_descriptors() -> None:
    """Ends the command where there cannot be enough: event loop and data base would end it in the middle of something, without a word."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= MANY_DESCRIPTORS or soft == resource.RLIM_INFINITY:
        return
    wanted = MANY_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MANY_DESCRIPTORS)
    if wanted < DESCRIPTORS:
        from pillarbox.cli.places import fail

        fail(f"too few open files are allowed: `ulimit -n` says {hard}, at least {DESCRIPTORS} are needed")
    if wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
