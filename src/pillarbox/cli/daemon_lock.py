"""One daemon a spool: the lock that says so, and what the daemon that holds it runs on.

The lock goes with the process, and the file holds the daemon's pid. A file beside it names its configuration, so that a command that was given
another one (`-C`, `-D`) does its work itself.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Mapping
from pathlib import Path

from pillarbox.cli.places import fail

LOCK = "pillarbox.pid"
SOURCE = "pillarbox.source"
WORKERS_LOCK = "workers.lock"
ORPHANS_TIMEOUT = 20.0
"""Seconds that the workers of a killed supervisor have to end."""
_MAX = 65536


def take_lock(spool: Path) -> int:
    """Ends the command when another daemon has it."""
    spool.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(spool / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.read(descriptor, 32).decode("ascii", "replace").partition("\n")[0]
        fail(f"pillarbox: another one (pid {pid}) serves {spool} already; stop it first", 69)
    return descriptor


def describe(lock: int, spool: Path, configuration: Path, macros: Mapping[str, str]) -> None:
    """Say who we are, and what we run on."""
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
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


def take_workers_lock(spool: Path) -> int:
    """Held by the supervisor and, through their inherited descriptor, by its workers: after the supervisor was killed the ports and
    the journal are free when the last of them has ended."""
    descriptor = os.open(spool / WORKERS_LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + ORPHANS_TIMEOUT
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                fail(f"pillarbox: workers of an earlier daemon still serve {spool}; end them first", 69)
            time.sleep(0.02)
            continue
        return descriptor
