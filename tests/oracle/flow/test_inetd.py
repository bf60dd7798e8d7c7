"""`-bw`: on a socket that we listen on as inetd does, what a client is answered, what the log says, and when it is over; and
`-bs` on a connection that inetd has taken.

Not compared: `-bw2s` to which nobody comes. Exim waits for the first connection however long it takes, ours ends; inetd starts nobody without.
"""

from __future__ import annotations

import os
import select
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import pytest
from tests.oracle.flow.commands import ours
from tests.oracle.flow.levelling import (
    CIPHERS,
    CLIENT_PORTS,
    ENHANCED_CODES,
    PIDS,
    SIZES,
    SPANS,
    TIMES,
    level,
    numbered,
)
from tests.oracle.real_exim import MISSING, find_exim

from pillarbox.system.tls import make_self_signed

EXIM = find_exim() or ""
pytestmark = pytest.mark.skipif(not EXIM or os.geteuid() != 0, reason=f"{MISSING}; and root")
CONFIG = """\
primary_hostname = mx.example
qualify_domain = example.com
exim_user = root
exim_group = root
keep_environment =
spool_directory = {dir}/spool
log_file_path = {dir}/log/%slog
pid_file_path = {dir}/pid
tls_advertise_hosts =
smtp_banner = mx.example here
received_header_text = Received: by mx.example
log_selector = +incoming_interface
never_users =
queue_only
acl_smtp_rcpt = accept
"""
LETTER = (
    "EHLO c.example",
    "MAIL FROM:<a@b.example>",
    "RCPT TO:<fred@example.com>",
    "DATA",
    "Subject: x\r\n\r\nbody\r\n.",
    "QUIT",
)
LIMIT = 40.0
"""Seconds that anything may take."""
CALLS = (
    "-bw",
    "-bw2s",
    "-bw1h -odq",
    "-bw -oX 2525",
    "-bwf",
    "-bw0x",
    "-bw -q1h",
    "-q -bw",
    "-bw x",
    "-bw -bs",
    "-bs -bw",
    "-tls-on-connect -bw",
)

TLS = """\
tls_advertise_hosts = *
tls_certificate = {dir}/certificate
tls_privatekey = {dir}/key
"""


class Seen(NamedTuple):
    code: int | None
    """None: it serves until it is stopped."""
    error: str
    replies: list[str]
    main: list[str]
    has_pid_file: bool


@pytest.mark.parametrize("words", CALLS)
def test_serves_as_exim_does(words: str) -> None:
    assert _seen(ours(), words) == _seen([EXIM], words)


class Served(NamedTuple):
    code: int
    error: str
    replies: list[str]
    main: list[str]


@pytest.mark.parametrize("how", ["plain", "starttls", "tls-on-connect", "lost"])
def test_serves_a_connection_as_exim_does(how: str) -> None:
    assert _served(ours(), how) == _served([EXIM], how)


def _served(program: list[str], how: str) -> Served:
    with (
        tempfile.TemporaryDirectory(prefix="inetd-") as name,
        socket.create_server(("127.0.0.1", 0)) as inetd,
        socket.create_connection(inetd.getsockname(), LIMIT) as client,
    ):
        place = Path(name)
        place.chmod(0o755)
        for each in ("spool", "log"):
            (place / each).mkdir()
        make_self_signed(place / "certificate", place / "key", ("mx.example",))
        conf = CONFIG.replace("tls_advertise_hosts =\n", TLS).format(dir=place)
        (place / "conf").write_text(f"{conf}begin acl\naccept:\n  accept\n")
        words = ["-tls-on-connect"] if how == "tls-on-connect" else []
        given, _ = inetd.accept()
        with given:
            command = [*program, "-C", str(place / "conf"), *words, "-bs"]
            process = subprocess.Popen(command, stdin=given, stdout=given, stderr=subprocess.PIPE)
        try:
            replies = _hold(client, how)
            _, error = process.communicate(timeout=LIMIT)
        finally:
            process.kill()
            process.wait()
        log = level("\n".join(_log(place, inetd.getsockname()[1])), CIPHERS)
        return Served(process.returncode, error.decode(), replies, log.splitlines())


def _hold(client: socket.socket, how: str) -> list[str]:
    replies: list[str] = []
    if how == "tls-on-connect":
        client = _shaken(client)
    lines = client.makefile("rb")
    replies.append(_reply(lines))
    if how == "starttls":
        for line in ("EHLO c.example", "STARTTLS"):
            client.sendall(line.encode() + b"\r\n")
            replies.append(_reply(lines))
        lines.close()
        client = _shaken(client)
        lines = client.makefile("rb")
    for line in LETTER[:2] if how == "lost" else LETTER:
        client.sendall(line.encode() + b"\r\n")
        replies.append(_reply(lines))
    lines.close()
    client.close()
    return replies


def _shaken(client: socket.socket) -> socket.socket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(client)


def _seen(program: list[str], words: str) -> Seen:
    with (
        tempfile.TemporaryDirectory(prefix="inetd-") as name,
        socket.create_server(("127.0.0.1", 0)) as inetd,
    ):
        place = Path(name)
        place.chmod(0o755)
        for each in ("spool", "log"):
            (place / each).mkdir()
        (place / "conf").write_text(CONFIG.format(dir=place) + "begin acl\naccept:\n  accept\n")
        with _started([*program, "-C", str(place / "conf"), *words.split()], inetd) as process:
            replies = _talk(inetd.getsockname()[1], process) if "tls" not in words else []
            _wait_for(lambda: process.poll() is not None or _serves(place, replies))
            if words == "-bw2s":
                process.wait(LIMIT)
            code = process.poll()
            main = _log(place, inetd.getsockname()[1])
            has_pid_file = (place / "pid").exists()
        assert process.stderr is not None
        return Seen(code, process.stderr.read().decode(), replies, main, has_pid_file)


@contextmanager
def _started(command: list[str], inetd: socket.socket) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command,
        stdin=inetd,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin", "TZ": "UTC", "LC_ALL": "C"},
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def _talk(port: int, process: subprocess.Popen[bytes]) -> list[str]:
    """Empty where nobody serves."""
    replies: list[str] = []
    with socket.create_connection(("127.0.0.1", port), LIMIT) as client, client.makefile("rb") as lines:
        _wait_for(lambda: process.poll() is not None or _is_readable(client))
        if process.poll() is not None:
            return []
        replies.append(_reply(lines))
        for line in LETTER:
            client.sendall(line.encode() + b"\r\n")
            replies.append(_reply(lines))
    return replies


def _is_readable(client: socket.socket) -> bool:
    return bool(select.select([client], [], [], 0.2)[0])


def _reply(lines: BinaryIO) -> str:
    """Its last line; the extensions that are offered are another test's."""
    line = b"   -"
    while line[3:4] == b"-":
        line = lines.readline()
    return level(numbered(line.decode().strip(), []), ENHANCED_CODES)


def _serves(place: Path, replies: list[str]) -> bool:
    """It has said all that it has to say."""
    log = _text(place / "log" / "mainlog")
    return "daemon started" in log and (not replies or " <= " in log)


def _log(place: Path, port: int) -> list[str]:
    text = numbered(_text(place / "log" / "mainlog").replace(f":{port}", ":OURS"), [])
    return sorted(filter(None, level(text, *TIMES, PIDS, SPANS, SIZES, CLIENT_PORTS).splitlines()))


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _wait_for(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)
