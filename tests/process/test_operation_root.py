"""Started by root: low ports are bound, then everything runs as the mail user, and root's commands leave it so."""

from __future__ import annotations

import os
import smtplib
from pathlib import Path

import pytest
from tests.process.daemon import Daemon, DidNotStart, wait_until
from tests.process.prepared import command, configuration, edit, prepare, prepared

from pillarbox.app import privilege

pytestmark = [pytest.mark.process, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]


def _uid(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def test_binds_a_low_port_and_becomes_the_mail_user() -> None:
    with prepared("--workers", "1", "--listen", "smtp=127.0.0.77:811") as daemon:
        user = privilege.choose_user("")
        if "running as root" in daemon.output:
            pytest.skip("the interpreter lies where only root can reach it")
        assert {_uid(pid) for pid in (daemon.pid, *daemon.workers)} == {user.pw_uid}
        assert "Uid:\t" + "\t".join([str(user.pw_uid)] * 4) in Path(f"/proc/{daemon.pid}/status").read_text()
        with smtplib.SMTP("127.0.0.77", 811) as client:
            client.sendmail("a@localhost", [daemon.admin.address], b"Subject: low\r\n\r\nx\r\n")
        (path,) = wait_until(lambda: daemon.delivered(daemon.admin), "a message")
        assert path.stat().st_uid == user.pw_uid and path.stat().st_mode & 0o77 == 0
        command(daemon, "exim", "-qff")
        _reloads(daemon)


def _reloads(daemon: Daemon) -> None:
    """The mail user can still read its configuration and certificate."""
    edit(daemon, "recipients_max = 1000", "recipients_max = 999")
    assert configuration(daemon).stat().st_uid == privilege.choose_user("").pw_uid
    daemon.signal(1)
    daemon.await_log("configuration reloaded")


def test_says_why_when_the_mail_user_cannot_reach_the_data(tmp_path: Path) -> None:
    """A folder below /root, say: a warning, and it runs as root."""
    daemon = Daemon("--workers", "1")
    daemon.folder.chmod(0o700)
    try:
        daemon.start()
        assert "warning: running as root, because user" in daemon.output
        daemon.send(b"Subject: x\n\nx\n")
        wait_until(lambda: daemon.delivered(daemon.admin), "a message")
    finally:
        daemon.remove()


def test_a_user_that_does_not_exist_is_named() -> None:
    daemon = Daemon()
    try:
        prepare(daemon, ("never_users = root", "never_users = root\nexim_user = no-such-user"))
        with pytest.raises(DidNotStart, match="user no-such-user was not found"):
            daemon.start()
    finally:
        daemon.remove()
