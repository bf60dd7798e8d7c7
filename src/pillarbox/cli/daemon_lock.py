"""The daemons of a spool: the locks that number them, and what the first one runs on.

The lock goes with the process, and the file holds the daemon's pid. A file beside it names its configuration, so that a command that was given
another one (`-C`, `-D`) does its work itself. There is usually one daemon; Exim lets others with other ports or configurations work on the
same queue, and so does `exim -bd`. Only the first one listens to commands.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pillarbox.cli.places import fail

LOCK = "pillarbox.pid"
SOURCE = "pillarbox.source"
WORKERS_LOCK = "workers.lock"
MAX_DAEMONS = 8
ORPHANS_TIMEOUT = 20.0
"""Seconds that the workers of a killed supervisor have to end."""
_MAX = 65536


class DaemonLock(NamedTuple):
    descriptor: int
    number: int
    """0 of the first daemon."""


def take_lock(spool: Path, *, may_be_further: bool) -> DaemonLock:
    """Ends the command when another daemon has it, or too many have."""
    spool.mkdir(parents=True, exist_ok=True)
    pid = ""
    for number in range(MAX_DAEMONS if may_be_further else 1):
        path = spool / _numbered(LOCK, number)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        if _is_ours(descriptor):
            return DaemonLock(descriptor, number)
        pid = os.read(descriptor, 32).decode("ascii", "replace").partition("\n")[0]
        os.close(descriptor)
    return fail(f"pillarbox: another one (pid {pid}) serves {spool} already; stop it first", 69)


def _is_ours(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _numbered(name: str, number: int) -> str:
    """`pillarbox.pid`, `pillarbox.2.pid` …"""
    stem, _, ending = name.partition(".")
    return f"{stem}.{number + 1}.{ending}" if number else name


def describe(lock: DaemonLock, spool: Path, configuration: Path, macros: Mapping[str, str]) -> None:
    """Say who we are, and what we run on."""
    os.ftruncate(lock.descriptor, 0)
    os.pwrite(lock.descriptor, f"{os.getpid()}\n".encode(), 0)
    if lock.number:
        return
    source = os.open(
        spool / SOURCE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644
    )
    with open(source, "wb") as file:
        file.write(_named(configuration, macros).encode("utf-8", "surrogateescape"))


def runs_on_another(spool: Path, configuration: Path, macros: Mapping[str, str]) -> bool:
    """Whether the last daemon of this spool had another configuration. One that does not say had ours."""
    try:
        with (spool / SOURCE).open("rb") as file:
            said = file.read(_MAX).decode("utf-8", "surrogateescape")
    except OSError:
        return False
    return bool(said) and said != _named(configuration, macros)


def _named(configuration: Path, macros: Mapping[str, str]) -> str:
    defined = "".join(f"{name}={value!r}\n" for name, value in sorted(macros.items()))
    return f"{configuration.resolve()}\n{defined}"


def take_workers_lock(spool: Path, number: int) -> int:
    """Held by the supervisor and, through their inherited descriptor, by its workers: after the supervisor was killed the ports and
    the journal are free when the last of them has ended."""
    path = spool / _numbered(WORKERS_LOCK, number)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + ORPHANS_TIMEOUT
    while True:
        if _is_ours(descriptor):
            return descriptor
        if time.monotonic() > deadline:
            fail(f"pillarbox: workers of an earlier daemon still serve {spool}; end them first", 69)
        time.sleep(0.02)
