"""What a process is doing, in the lines that Exim's processes write for exiwhat (Exim 54.1): on USR1, at the end of `process_log_path`.

A process of ours does many things at once, so it writes many lines with its number.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from pillarbox.app.mta import Mta
from pillarbox.app.serving import Service
from pillarbox.config.model import Config
from pillarbox.flow.accept.session import Session as SmtpSession
from pillarbox.flow.facets.installation import EXIM_VERSION
from pillarbox.flow.settings import Files


def process_log(config: Config) -> str:
    return config.main(Files).process_log_path or ""


def daemon_line(connections: int, running: str) -> str:
    """`daemon(4.100.1): [1+0] -q30m, listening for SMTP on port 25`; `connections`: of all workers."""
    return f"daemon({EXIM_VERSION}): [{connections}+0] {running}"


def worker_lines(services: Iterable[Service], mta: Mta) -> Iterator[str]:
    for service in services:
        for session in service.tasks.values():
            if isinstance(session, SmtpSession):
                yield f"handling incoming connection from {session.who()}"
            elif session is not None:
                yield f"handling {type(session).__module__.split('.')[-2]} connection"
    for message_id in (*mta.lane.under_way(), *mta.runner.under_way()):
        yield f"delivering {message_id}"
    for flags in mta.runner.walks:
        yield f"running queue{flags}"


def write_lines(path: str, lines: Iterable[str]) -> None:
    """With our process number in front. Where that cannot be, nobody is told: exiwhat says that there is no data."""
    text = "".join(f"{os.getpid()} {line}\n" for line in lines)
    if not path or not text:
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK
    with contextlib.suppress(OSError):
        descriptor = os.open(path, flags, 0o640)
        try:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.write(descriptor, text.encode("utf-8", "surrogateescape"))
        finally:
            os.close(descriptor)


PATIENCE = 1.0
"""Seconds that the processes have to write; Exim's script waits as long."""


async def what_all_do(path: str) -> list[str]:
    """Asks the whole daemon of this worker, by way of its supervisor: lines in the order of process numbers."""
    supervisor = os.getppid()
    if not path or supervisor <= 1:
        return []
    with contextlib.suppress(OSError):
        Path(path).unlink()
    os.kill(supervisor, signal.SIGUSR1)
    await asyncio.sleep(PATIENCE)
    return sorted(_read(path), key=lambda line: int(line.partition(" ")[0]))


def _read(path: str) -> list[str]:
    try:
        with Path(path).open(encoding="utf-8", errors="surrogateescape") as file:
            return file.read(1 << 20).splitlines()
    except OSError:
        return []
