"""Commands whose main log cannot be written, or is named wrongly, beside the real one: both end with 1, say the same, and take nothing in.

The real one goes on to its first line before it sees that; so only what it says then is compared, and the exit code.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.oracle.flow.dialogue import Program, ours, real
from tests.oracle.flow.levelling import ID, LOG_STAMPS, level
from tests.oracle.real_exim import MISSING, find_exim

EXIM = find_exim()
pytestmark = [
    pytest.mark.skipif(EXIM is None, reason=MISSING),
    pytest.mark.skipif(os.geteuid() != 0, reason="the real one believes -C of root only"),
]
CONFIGURATION = """\
keep_environment =
primary_hostname = mx.example
exim_user = root
exim_group = root
never_users =
tls_advertise_hosts =
spool_directory = {folder}/spool
log_file_path = {path}
begin routers
all:
  driver = accept
  transport = file
begin transports
file:
  driver = appendfile
  file = {folder}/mbox
  user = mail
"""
COMMANDS: dict[str, list[str]] = {
    "message": ["-odq", "a@b.test"],
    "run": ["-q"],
    "line": ["-z", "hello"],
    "route": ["-bt", "a@b.test"],
    "expand": ["-be", "$primary_hostname"],
}


def _nothing(folder: Path) -> None:
    """Only `log_file_path` is wrong."""


def _directory_is_file(folder: Path) -> None:
    (folder / "log").rmdir()
    (folder / "log").write_text("")


def _log_is_directory(folder: Path) -> None:
    (folder / "log" / "mainlog").mkdir()


def _logs_are_directories(folder: Path) -> None:
    _log_is_directory(folder)
    (folder / "log" / "paniclog").mkdir()


FAULTS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "directory-is-file": ("{folder}/log/%slog", _directory_is_file),
    "log-is-directory": ("{folder}/log/%slog", _log_is_directory),
    "logs-are-directories": ("{folder}/log/%slog", _logs_are_directories),
    "no-name": ("{folder}/log/main", _nothing),
    "two-names": ("{folder}/log/%s%slog", _nothing),
    "syslog-and-no-name": ("syslog : {folder}/log/x", _nothing),
    "odd-letter": ("{folder}/log/%s-%x", _nothing),
    "two-dates": ("{folder}/log/%s-%D%M", _nothing),
}


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="pillarbox-logs-") as name:
        yield Path(name)


@pytest.mark.parametrize("command", list(COMMANDS))
@pytest.mark.parametrize("fault", list(FAULTS))
def test_as_the_real_one(fault: str, command: str, folder: Path) -> None:
    assert EXIM is not None
    theirs = _ended(real(EXIM), fault, command, folder / "theirs")
    assert _ended(ours(), fault, command, folder / "ours") == theirs


def _ended(program: Program, fault: str, command: str, folder: Path) -> tuple[int, str, set[str], bool]:
    """The exit code, what is printed, what is complained of, whether anything is in the queue."""
    (folder / "log").mkdir(parents=True)
    path, break_it = FAULTS[fault]
    file = folder / "conf"
    file.write_text(CONFIGURATION.format(folder=folder, path=path.format(folder=folder)))
    break_it(folder)
    done = subprocess.run(
        [*program.words, "-C", str(file), *COMMANDS[command]],
        input=b"Subject: x\n\nx\n",
        capture_output=True,
        timeout=30,
        check=False,
    )
    queued = any((folder / "spool").rglob("*-H"))
    return done.returncode, done.stdout.decode(), set(_complaints(done.stderr.decode(), folder)), queued


def _complaints(text: str, folder: Path) -> Iterator[str]:
    text = ID.sub("", level(text.replace(str(folder), "DIR"), LOG_STAMPS))
    """Without `Exim configuration error`, which ours has above each mistake in a configuration."""
    return (
        line
        for line in map(str.strip, text.splitlines())
        if line.startswith(("Cannot", "exim:", "log_file_path"))
    )
