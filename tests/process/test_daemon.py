"""The daemon starts, takes a message, delivers it, stops and finds everything again."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.process.daemon import COMMAND, Daemon, User, wait_until

pytestmark = pytest.mark.process

LETTER = b"From: a@localhost\nDate: Mon, 2 Nov 2026 10:00:00 +0000\nMessage-ID: <1@localhost>\nSubject: hello\n\nworld\n"


def test_takes_and_delivers(daemon: Daemon, user: User) -> None:
    daemon.send(LETTER, to=user)
    paths = wait_until(lambda: daemon.delivered(user), "a message in the Maildir")
    assert paths[0].read_bytes().endswith(LETTER)


def test_starts_again_with_what_it_had() -> None:
    with Daemon.started("--workers", "1") as daemon:
        first = daemon.admin
        daemon.send(b"Subject: one\n\n1\n")
        assert daemon.stop() == 0
        daemon.start()
        assert daemon.admin == first
        daemon.send(b"Subject: two\n\n2\n")
        wait_until(lambda: len(daemon.delivered(first)) == 2, "both messages")
        assert daemon.panics == ""


def test_serves_deep_in_the_file_system(tmp_path: Path) -> None:
    """Below blanks, and beyond what the address of a UNIX socket holds."""
    daemon = Daemon("--workers", "1", folder=deep(tmp_path))
    try:
        daemon.start()
        assert daemon.run("queue", "list") == ""
        sent = subprocess.run(
            [COMMAND.with_name("sendmail"), "-C", daemon.data / "pillarbox.conf", daemon.admin.address],
            input=b"Subject: deep\n\ndown\n",
            timeout=30,
            check=True,
        )
        assert sent.returncode == 0
        wait_until(lambda: daemon.log.count("Completed") == 1, "the delivery")
    finally:
        daemon.remove()


def deep(folder: Path) -> Path:
    for name in ("a folder", "with a long name " * 6, "and another"):
        folder /= name.strip()
    folder.mkdir(parents=True)
    return folder
