"""The real daemon for tests: `pillarbox serve` on free loopback ports, with a data folder of its own below /tmp.

Use the session-wide fixture `daemon` (conftest.py) where a test only adds mail to accounts of its own (`daemon.add_user()`), and
`Daemon.started()` where it stops, kills or reconfigures:

    with Daemon.started("--workers", "2") as daemon:
        daemon.send(b"Subject: hello\\n\\nworld\\n")
        daemon.await_log("Completed")

The folder can be passed by other users, so that a daemon started by root drops to the mail user as in life. Every process started
here is ended here, by its pid.
"""

from __future__ import annotations

import contextlib
import functools
import imaplib
import itertools
import os
import random
import re
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

from pillarbox.backends.accounts.file import Row, edit
from pillarbox.backends.accounts.passwords import hash_password
from pillarbox.wire.sasl.scram import derive_keys

T = TypeVar("T")

COMMAND = Path(sys.prefix) / "bin" / "pillarbox"
ROLES = ("smtp", "submission", "smtps", "imap", "imaps", "pop3", "pop3s")
READY = "Stop with Ctrl-C"
NOT_RELOADED = "configuration not reloaded"
TAKEN = "another program does already"
RELOADED = ": configuration reloaded"
START_SECONDS = 30.0
STOP_SECONDS = 60.0
PASSWORD = "a-Secret-of-tests"
_ACCOUNT = re.compile(r"^  account +(\S+) +password +(\S+)", re.MULTILINE)
_numbers = itertools.count(1)


class User(NamedTuple):
    """An account of the daemon under test."""

    name: str
    password: str

    @property
    def address(self) -> str:
        return f"{self.name}@localhost"


_RANDOM = random.SystemRandom()


class DidNotStart(AssertionError):
    """`str()` is everything the daemon printed."""


def free_ports(count: int) -> list[int]:
    """Ports free a moment ago; all different, and none that the system gives to clients by itself."""
    found: list[int] = []
    while len(found) < count:
        port = _RANDOM.randrange(10_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("", port))
            if port not in found:
                found.append(port)
    return found


def wait_until(condition: Callable[[], T], what: str, seconds: float = 15.0) -> T:
    """The first true value of `condition`; AssertionError naming `what` when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.01)
    return value


class Daemon:
    """One data folder and, between `start` and `stop` or `kill`, the daemon that serves it."""

    def __init__(self, *arguments: str, folder: Path | None = None) -> None:
        """`arguments` go to `pillarbox serve` after --data and --listen."""
        self.folder = folder or Path(tempfile.mkdtemp(prefix="pillarbox-test-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.data = self.folder / "data"
        self.ports = dict(zip(ROLES, free_ports(len(ROLES)), strict=True))
        self.admin = User("", "")
        """The account of the first start."""
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    @contextmanager
    def started(cls, *arguments: str) -> Iterator[Daemon]:
        """Started now, stopped and removed at the end."""
        daemon = cls(*arguments)
        try:
            daemon.start()
            yield daemon
        finally:
            daemon.remove()

    # Its life

    def start(self) -> None:
        """Returns when it serves. May be called again after `stop` or `kill`. Raises DidNotStart."""
        try:
            self._start()
        except DidNotStart as error:
            if TAKEN not in str(error):
                raise
            self.ports = dict(zip(ROLES, free_ports(len(ROLES)), strict=True))
            self._start()
        found = _ACCOUNT.search(self.output)
        if found:
            self.admin = User(found[1], found[2])

    def _start(self) -> None:
        with open(self.folder / "output", "wb") as output:
            self._process = subprocess.Popen(
                [str(COMMAND), "serve", "--data", str(self.data), *self._listen(), *self._arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
            )
        deadline = time.monotonic() + START_SECONDS
        while READY not in self.output:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise DidNotStart(self.output)
            time.sleep(0.01)

    def _listen(self) -> Iterator[str]:
        for role, port in self.ports.items():
            yield f"--listen={'smtp' if role == 'submission' else role}=127.0.0.1:{port}"

    def reconfigure(self, *changes: tuple[str, str]) -> None:
        """Replace texts of its configuration and reload it with HUP; returns when every worker has the new one."""
        path = self.data / "pillarbox.conf"
        text = path.read_text()
        for old, new in changes:
            assert old in text, f"{old!r} is not in {path}"
            text = text.replace(old, new)
        path.write_text(text)
        wanted = self.log.count(RELOADED) + len(self.workers)
        self.signal(signal.SIGHUP)
        wait_until(lambda: self.log.count(RELOADED) >= wanted or NOT_RELOADED in self.output, "reload")
        assert NOT_RELOADED not in self.output, self.output

    @property
    def pid(self) -> int:
        """Of the supervisor."""
        assert self._process is not None, "not started"
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def workers(self) -> list[int]:
        """Process ids of the workers that live now, in the order they were started."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [int(word) for word in children.read_text().split()] if self.is_running else []

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def stop(self) -> int:
        """TERM; its exit code. Killed when it does not stop in time, which fails the test."""
        assert self._process is not None, "not started"
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(
                f"did not stop within {STOP_SECONDS:.0f} s of TERM:\n{self.output}"
            ) from None

    def kill(self) -> None:
        """-9 to the supervisor and every worker; returns when all are gone."""
        assert self._process is not None, "not started"
        workers = self.workers
        for pid in (self.pid, *workers):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._process.wait()
        wait_until(lambda: not any(_lives(pid) for pid in workers), f"workers {workers} gone")

    def remove(self) -> None:
        """Stop it when it runs, and delete its folder."""
        try:
            if self.is_running:
                self.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    # What it says

    @property
    def output(self) -> str:
        """Everything it printed since `start`."""
        return (self.folder / "output").read_text("utf-8", "replace")

    @property
    def log(self) -> str:
        """The main log."""
        return self._log("main")

    @property
    def panics(self) -> str:
        """The panic log: empty when all went well."""
        return self._log("panic")

    def _log(self, name: str) -> str:
        path = self.data / "log" / f"{name}log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def await_log(self, text: str, seconds: float = 15.0) -> str:
        """The first line of the main log with `text` in it, once there is one."""
        return wait_until(lambda: _line_with(text, self.log), f"{text!r} in the main log", seconds)

    def run(self, *arguments: str, text: str = "") -> str:
        """A `pillarbox` command on the same data, e.g. `run("queue", "list")`; what it prints. Raises CalledProcessError."""
        command, action, *rest = arguments
        words = [str(COMMAND), command, action, "--data", str(self.data), *rest]
        return subprocess.run(
            words, input=text, text=True, check=True, capture_output=True, timeout=60
        ).stdout

    # Accounts and mail

    def add_user(self, name: str = "", password: str = "") -> User:
        """A new account, `user1`, `user2`, … when no name is given."""
        user = User(name or f"user{next(_numbers)}", password or PASSWORD)
        if password:
            self.run("user", "add", "--password-stdin", user.name, text=f"{password}\n")
        else:
            row = _row()  # what the command writes, without the second it takes to start and to hash
            edit(self.data / "accounts", user.name, lambda _: Row(user.name, row.password, "", row.scram))
        return user

    def maildir(self, user: User) -> Path:
        return self.data / "mail" / user.name

    def delivered(self, user: User) -> list[Path]:
        """The files of the user's INBOX, new and seen."""
        inbox = self.maildir(user)
        return [
            path for part in ("new", "cur") if (inbox / part).exists() for path in (inbox / part).iterdir()
        ]

    def smtp(self) -> smtplib.SMTP:
        """A connection without TLS; use it in `with`."""
        return smtplib.SMTP("127.0.0.1", self.ports["smtp"], "client.example", timeout=60)

    def send(
        self,
        message: bytes,
        to: str | User | Sequence[str | User] = "",
        sender: str = "sender@localhost",
        options: Sequence[str] = (),
    ) -> None:
        """By SMTP DATA on the plain port, to the first account when `to` is empty. Raises what smtplib raises.

        `message` has LF line ends; smtplib would send them bare.
        """
        wanted = [to or self.admin] if isinstance(to, str | User) else to
        recipients = [each.address if isinstance(each, User) else each for each in wanted]
        with self.smtp() as client:
            client.sendmail(sender, recipients, message.replace(b"\n", b"\r\n"), mail_options=options)

    @contextmanager
    def imap(self, user: User) -> Iterator[imaplib.IMAP4]:
        """Logged in, with TLS; logged out at the end."""
        context = self.tls_context()
        with imaplib.IMAP4_SSL("localhost", self.ports["imaps"], ssl_context=context, timeout=30) as client:
            client.login(user.name, user.password)
            yield client

    def tls_context(self) -> ssl.SSLContext:
        """Trusts the daemon's own certificate and checks the name (connect to `localhost`)."""
        return ssl.create_default_context(cafile=str(self.data / "tls" / "cert.pem"))


@functools.cache
def _row() -> Row:
    return Row("", hash_password(PASSWORD), "", derive_keys(PASSWORD))


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _line_with(text: str, log: str) -> str:
    return next((line for line in log.splitlines() if text in line), "")
