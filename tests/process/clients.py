"""Mail clients as programs: a home directory of their own, their configuration in it, and what they print.

tools/clients installs them. A test whose client is missing is skipped with that reason, or fails where CI is set.
"""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.process.daemon import Daemon, User

SECONDS = 40.0


def need(*programs: str) -> None:
    """Skip the test when one of them is not installed."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        give_up(f"{', '.join(missing)} not installed; tools/clients installs it")


def give_up(reason: str) -> None:
    """Skip, but never in CI."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


class Home:
    """A user's home: the clients find nothing but what the test writes here."""

    def __init__(self, path: Path, daemon: Daemon, user: User) -> None:
        self.path, self.daemon, self.user = path, daemon, user
        self.certificate = daemon.data / "tls" / "cert.pem"

    def write(self, name: str, text: str) -> Path:
        """A file only we may read, with `{words}` filled in: the ports by role, user, password, address, ca, home."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.fill(text))
        path.chmod(0o600)
        return path

    def fill(self, text: str) -> str:
        """`{imaps}` and the like; other braces stay."""
        words: dict[str, object] = {
            **self.daemon.ports,
            "user": self.user.name,
            "password": self.user.password,
            "address": self.user.address,
            "ca": self.certificate,
            "home": self.path,
        }
        for name, value in words.items():
            text = text.replace(f"{{{name}}}", str(value))
        return text

    def run(self, command: str, *more: str, text: str = "", codes: Sequence[int] = (0,)) -> str:
        """Output and errors of `command`, split at spaces and filled in, then `more` as it is."""
        words = [self.fill(word) for word in command.split()] + list(more)
        done = subprocess.run(
            words,
            input=text.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.path,
            env=self._environment(),
            timeout=SECONDS,
        )
        output = done.stdout.decode("utf-8", "replace")
        assert done.returncode in codes, f"{words[0]} ended with {done.returncode}:\n{output}"
        return output

    def run_in_terminal(self, command: str, *more: str) -> str:
        """The same for a program that wants a terminal; what it painted."""
        words = [self.fill(word) for word in command.split()] + list(more)
        ours, its = pty.openpty()
        try:
            process = subprocess.Popen(
                words,
                stdin=its,
                stdout=its,
                stderr=its,
                cwd=self.path,
                env=self._environment(),
                start_new_session=True,
            )
            os.close(its)
            painted = _read_all(ours, SECONDS)
            if process.poll() is None and painted is None:
                process.kill()
            code = process.wait(SECONDS)
        finally:
            os.close(ours)
        shown = (painted or b"(it did not end)").decode("utf-8", "replace")
        assert code == 0, f"{words[0]} ended with {code}:\n{shown}"
        return shown

    def _environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.path),
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
            "TERM": "vt100",
            "USER": self.user.name,
            "LOGNAME": self.user.name,
        }


def _read_all(descriptor: int, seconds: float) -> bytes | None:
    """Until the other side is closed; None when that takes too long."""
    deadline = time.monotonic() + seconds
    chunks: list[bytes] = []
    while time.monotonic() < deadline:
        if not select.select([descriptor], [], [], 0.2)[0]:
            continue
        try:
            chunk = os.read(descriptor, 65_536)
        except OSError:  # EIO: the last holder of the terminal has gone
            chunk = b""
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)
    return None
