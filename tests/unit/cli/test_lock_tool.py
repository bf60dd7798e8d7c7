"""exim_lock and exim_checkaccess: arguments, and what is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from pillarbox.cli.tools import exim_checkaccess, exim_lock


def test_lock_says_what_it_does(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    box = tmp_path / "box"
    box.touch()
    assert exim_lock.run([str(box), f"ls {tmp_path}"]) == 0
    assert capfd.readouterr().out.splitlines() == [
        "exim_lock: lock file successfully created",
        "exim_lock: fcntl() lock successfully applied",
        f"exim_lock: locking {box} succeeded: running the command ...",
        "box",
        "box.lock",
        f"exim_lock: {box} closed",
        "exim_lock: lock file removed",
    ]
    assert not (tmp_path / "box.lock").exists()


def test_lock_that_somebody_holds(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "box.lock").touch()
    arguments = ["-lockfile", "-retries", "2", "-interval", "0", str(tmp_path / "box"), "true"]
    assert exim_lock.run(arguments) == 1
    assert capfd.readouterr().out.splitlines() == [
        "exim_lock: failed to link hitching post to lock file",
        " ... waiting",
        "exim_lock: failed to link hitching post to lock file",
        " ... waiting",
        "exim_lock: locking failed too many times",
    ]


def test_lock_needs_the_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert exim_lock.run(["-q", "-flock", str(tmp_path / "nosuch"), "true"]) == 1
    assert "for writing: No such file or directory" in capfd.readouterr().out


def test_lock_tells_a_failed_command(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "box").touch()
    assert exim_lock.run(["-q", str(tmp_path / "box"), "exit 3"]) == 0
    assert capfd.readouterr().out == "warning: nonzero status 768\n"


@pytest.mark.parametrize("arguments", [[], ["-x", "f"], ["-retries", "x", "f"], ["a", "b", "c"]])
def test_lock_usage(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert exim_lock.run(arguments) == 1
    assert capfd.readouterr().out.startswith("usage: exim_lock")


def test_access_needs_an_address(capfd: pytest.CaptureFixture[str]) -> None:
    assert exim_checkaccess.run(["1.2.3", "joe@example.org"]) == 1
    assert capfd.readouterr().out.startswith('** Invalid IP address "1.2.3"\nUsage: ')


def test_access_finds_the_reply_to_rcpt() -> None:
    session = "\n**** SMTP testing\n\n220 hi\n250-a\n250 b\n250 OK\n550-go\n550 away\n221 bye\n"
    assert list(exim_checkaccess.replies(session))[exim_checkaccess.BEFORE_RCPT] == ["550-go", "550 away"]
