"""The commands' end of the control socket, and the offline folder for when nobody answers.

Standard library sockets only: `sendmail` is called thousands of times a day and must start quickly.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from pillarbox.system.unix_path import short_name
from pillarbox.wire.control import MAX_LINE, Converse, Line, Request, Submit, decode_line, encode

SOCKET = "control.sock"
OFFLINE = "offline"
CONNECT_TIMEOUT = 10.0
ANSWER_TIMEOUT = 3600.0


class DaemonAway(Exception):
    """No daemon listens on the control socket; `str()` names it."""


def ask(spool: Path, request: Request, data: bytes = b"") -> Iterator[Line]:
    """The daemon's lines as they come, the last with `end`. Raises DaemonAway."""
    with contextlib.closing(_connect(spool)) as connection:
        connection.settimeout(ANSWER_TIMEOUT)
        connection.sendall(encode(request) + data)
        yield from _lines(connection)


def converse(spool: Path, about: dict[str, str], *, suppresses_fixups: bool) -> int:
    """Let the daemon hold an SMTP session with our standard input and output (`-bs`): 0 when it ended with 221. Raises DaemonAway."""
    with contextlib.closing(_connect(spool)) as connection:
        connection.settimeout(None)
        connection.sendall(encode(Converse(about=about, suppresses_fixups=suppresses_fixups)))
        threading.Thread(target=_pump, args=(connection,), daemon=True).start()
        last = b""
        while piece := connection.recv(65536):
            last = (last + piece)[-1024:]
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
        return 0 if last.rstrip().rpartition(b"\n")[2].startswith(b"221 ") else 1


def _pump(connection: socket.socket) -> None:
    """Standard input to the daemon, until either ends."""
    with contextlib.suppress(OSError):
        while piece := os.read(0, 65536):
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_WR)


def _connect(spool: Path) -> socket.socket:
    path = spool / SOCKET
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(CONNECT_TIMEOUT)
    try:
        with short_name(path) as name:
            connection.connect(name)
    except OSError as error:
        connection.close()
        raise DaemonAway(f"{path}: {error.strerror}") from error
    return connection


def _lines(connection: socket.socket) -> Iterator[Line]:
    buffer = b""
    while True:
        try:
            piece = connection.recv(65536)
        except OSError as error:
            raise DaemonAway(f"the daemon does not answer: {error.strerror or error}") from error
        if not piece:
            raise DaemonAway("the daemon hung up")
        *lines, buffer = (buffer + piece).split(b"\n")
        for line in lines:
            answer = decode_line(line)
            yield answer
            if answer.end:
                return
        if len(buffer) > MAX_LINE:
            raise DaemonAway("the daemon's answer makes no sense")


def drop_offline(spool: Path, request: Submit, data: bytes) -> Path:
    """Leave a submission for the next start, whole and durable. Raises OSError.

    The daemon may run as another user, so the file is readable; the folder cannot be listed and the name cannot be guessed.
    """
    folder = spool / OFFLINE
    name = f"{time.time_ns():020d}.{os.getpid()}.{secrets.token_hex(6)}"
    temporary = folder / f"tmp.{name}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    os.fchmod(descriptor, 0o644)
    with open(descriptor, "wb") as file:
        file.write(encode(request) + data)
        file.flush()
        os.fsync(descriptor)
    final = folder / f"msg.{name}"
    temporary.rename(final)
    with contextlib.suppress(OSError):  # who may only write to the folder cannot open it
        directory = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    return final
