"""Several daemons of `exim -bd` on one queue, as Exim allows: other ports, other macros."""

from __future__ import annotations

import os
import pwd
import smtplib
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.process.daemon import COMMAND, wait_until

pytestmark = pytest.mark.process

CONFIGURATION = """\
primary_hostname = mx.example.org
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
exim_user = {user}
local_interfaces = 127.0.0.1
tls_advertise_hosts =
never_users =
acl_smtp_rcpt = accept
.ifdef SERVER
smtp_banner = SERVER
.endif
begin routers
all:
  driver = accept
  transport = file
begin transports
file:
  driver = appendfile
  file = {folder}/mail/inbox
  user = {user}
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that the mail user can reach, as pytest's own cannot be when root runs the tests."""
    user = pwd.getpwuid(os.getuid()).pw_name
    with tempfile.TemporaryDirectory(prefix="pillarbox-daemons-") as made:
        place = Path(made)
        place.chmod(0o755)
        for name in ("spool", "log", "mail"):
            (place / name).mkdir()
            (place / name).chmod(0o777)
        text = CONFIGURATION.format(folder=place, user="mail" if user == "root" else user)
        (place / "conf").write_text(text)
        yield place


@pytest.fixture
def daemons(folder: Path) -> Iterator[list[int]]:
    """Ports of two."""
    ports = [_free_port(), _free_port()]
    started: list[subprocess.Popen[bytes]] = []
    try:
        for number, port in enumerate(ports):
            words = [COMMAND.with_name("exim"), "-C", folder / "conf", f"-DSERVER=server {number}"]
            started.append(
                subprocess.Popen([*words, "-bdf", "-oX", str(port)], stderr=subprocess.PIPE, cwd=folder)
            )
            wait_until(lambda port=port: _banner(port), "the banner")  # type: ignore[misc]
        yield ports
    finally:
        for process in started:
            process.terminate()
            assert b"Traceback" not in process.communicate(timeout=30)[1]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _banner(port: int) -> str:
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
            return client.noop()[1].decode()
    except OSError:
        return ""


def test_two_daemons_work_on_one_queue(folder: Path, daemons: list[int]) -> None:
    for number, port in enumerate(daemons):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            assert connection.recv(100) == f"220 server {number}\r\n".encode()
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
            client.sendmail("a@x.test", ["b@x.test"], f"Subject: to {port}\n\nx\n")
    inbox = folder / "mail" / "inbox"
    wait_until(lambda: inbox.exists() and inbox.read_text().count("\nSubject: to ") == 2, "both messages")


def test_pillarbox_serve_does_not_join(folder: Path, daemons: list[int]) -> None:
    done = subprocess.run(
        [COMMAND, "serve", "--config", folder / "conf"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 69 and "serves" in done.stderr
