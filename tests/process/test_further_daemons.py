"""Several daemons of `exim -bd` on one queue, as Exim allows: other ports, other macros."""

from __future__ import annotations

import os
import pwd
import signal
import smtplib
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.process.daemon import COMMAND, free_ports, wait_until
from tests.process.prepared import keeps_root

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
away:
  driver = manualroute
  domains = away.test
  route_list = * 127.0.0.1 byname
  self = send
  transport = away
all:
  driver = accept
  transport = file
begin transports
file:
  driver = appendfile
  file = {folder}/mail/inbox
  user = {user}
away:
  driver = smtp
  port = 1
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
    ports = free_ports(2)
    started: list[subprocess.Popen[bytes]] = []
    try:
        for number, port in enumerate(ports):
            started.append(_start(folder, port, f"-DSERVER=server {number}"))
        yield ports
    finally:
        for process in started:
            _end(process)


def _start(folder: Path, port: int, *options: str) -> subprocess.Popen[bytes]:
    words = [COMMAND.with_name("exim"), "-C", folder / "conf", *options, "-bdf", "-oX", str(port)]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, cwd=folder)
    wait_until(lambda: _banner(port), "the banner")
    return process


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    assert b"Traceback" not in process.communicate(timeout=30)[1]


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


def test_a_daemon_waits_for_its_port(folder: Path) -> None:
    """Whoever called it does not."""
    log, pid_file = folder / "log" / "mainlog", folder / "pid"
    text = f"daemon_startup_retries = 60\ndaemon_startup_sleep = 1s\n{(folder / 'conf').read_text()}"
    (folder / "conf").write_text(text)
    [port] = free_ports(1)
    with socket.create_server(("127.0.0.1", port)):
        words = [COMMAND.with_name("exim"), "-C", folder / "conf", "-bd", "-oX", str(port), "-oP", pid_file]
        assert subprocess.run(words, capture_output=True, timeout=30, cwd=folder).returncode == 0
        failed = f"socket bind() to port {port} for address 127.0.0.1 failed: Address already in use"
        assert f"{failed}: waiting 1s before trying again (60 more tries)" in log.read_text()
        assert f"exim_user = {log.owner()}\n" in text or (keeps_root() and log.owner() == "root")
        assert not pid_file.exists()
    wait_until(lambda: "daemon started" in log.read_text(), "its start")
    assert _banner(port)
    daemon = int(pid_file.read_text())
    os.kill(daemon, signal.SIGTERM)
    wait_until(lambda: not Path(f"/proc/{daemon}").exists(), "the end")


def test_a_port_that_stays_taken_ends_the_daemon(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        text = f"daemon_startup_retries = 1\ndaemon_startup_sleep = 0s\n{(folder / 'conf').read_text()}"
        (folder / "conf").write_text(text)
        words = [COMMAND.with_name("exim"), "-C", folder / "conf", "-bdf", "-oX", str(port)]
        ended = subprocess.run(words, capture_output=True, text=True, timeout=30, cwd=folder)
    assert ended.returncode == 69 and f"port {port}" in ended.stderr
    assert (folder / "log" / "paniclog").read_text().endswith("Address already in use: daemon abandoned\n")


@pytest.mark.parametrize("option", ["-odq", "-odqs"])
def test_a_daemon_that_only_queues(folder: Path, option: str) -> None:
    """`-odqs` delivers what stays here; a queue run of a command delivers the rest."""
    [port], inbox, log = free_ports(1), folder / "mail" / "inbox", folder / "log" / "mainlog"
    process = _start(folder, port, option)
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
            client.sendmail("a@x.test", ["b@x.test", "b@away.test"], "Subject: waits\n\nx\n")
        if option == "-odqs":
            wait_until(lambda: "== b@away.test" in log.read_text(), "the deferral")
            assert "SMTP delivery explicitly queued" in log.read_text()
            wait_until(inbox.exists, "what stays here")
        assert inbox.exists() == (option == "-odqs")
        assert "Connection refused" not in log.read_text()
        subprocess.run([COMMAND.with_name("exim"), "-C", folder / "conf", "-q"], check=True, timeout=60)
        wait_until(lambda: "Connection refused" in log.read_text(), "an attempt")
        wait_until(inbox.exists, "the message")
    finally:
        _end(process)


def test_what_all_workers_meet_is_said_once(folder: Path) -> None:
    text = (folder / "conf").read_text()
    name, driver = text.split("begin routers\n")[1].splitlines()[:2]
    text = text.replace(driver, f"{driver}\n  pass_router = {name[:-1]}", 1)
    (folder / "conf").write_text(f"workers = 3\n{text}")
    words = [COMMAND.with_name("exim"), "-C", folder / "conf", "-bdf", "-oX", str(free_ports(1)[0])]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=60, cwd=folder)
    assert ended.returncode != 0 and ended.stderr.count("must stand below it") == 1
