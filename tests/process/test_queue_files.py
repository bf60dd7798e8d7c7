"""The queue's files beside a running daemon: removed by hand, and kept true when everything is killed in the middle of a delivery."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from tests.process.daemon import COMMAND, Daemon, wait_until
from tests.process.prepared import LATER, command, configuration, edit, prepared

pytestmark = pytest.mark.process
MESSAGES = 6
WAITING = """begin routers

waits:
  driver = redirect
  condition = ${if !exists{BEGUN}}
  allow_defer
  data = :defer: before the run

stalled:
  domains = stalled.test
  driver = manualroute
  route_list = * 127.0.0.1
  transport = stalled_smtp
  self = send
"""
TRANSPORT = """begin transports

stalled_smtp:
  driver = smtp
  port = {port}
"""


def test_files_that_go_by_hand_are_gone_and_nothing_else() -> None:
    with prepared("--workers", "2", edits=[("begin routers\n", LATER)]) as daemon:
        for number in range(4):
            daemon.send(b"Subject: waits\n\nx\n", to=f"u{number}@later.test", sender=daemon.admin.address)
        pair, lone_header, lone_data, whole = wait_until(
            lambda: _so_many(daemon, 4), "four messages in the queue"
        )
        for name in (f"{pair}-H", f"{pair}-D", f"{lone_header}-D", f"{lone_data}-H"):
            (_input(daemon) / name).unlink()
        assert sorted(_listed(daemon)) == sorted([lone_header, whole])
        assert command(daemon, "exim", "-q").returncode == 0
        command(daemon, "exim", "-M", lone_header)
        daemon.await_log(f"{lone_header} Spool file {lone_header}-D not found")
        assert command(daemon, "exim", "-Mrm", lone_header).returncode == 1
        assert command(daemon, "exim", "-Mrm", whole).returncode == 0
        wait_until(lambda: not list(_input(daemon).glob("*-H")), "an empty queue")
        daemon.send(b"Subject: on it goes\n\nx\n", to=daemon.admin.address)
        wait_until(lambda: daemon.delivered(daemon.admin), "new mail")
        assert daemon.panics == ""


def test_a_kill_in_a_queue_run_loses_nothing_and_repeats_nothing_on_record() -> None:
    """Messages to two mailboxes and to a host that never answers; all is killed in the middle of a run."""
    with socket.create_server(("127.0.0.1", 0)) as silent, tempfile.TemporaryDirectory() as folder:
        begun = Path(folder) / "begun"
        Path(folder).chmod(0o755)
        routers = WAITING.replace("BEGUN", str(begun))
        transport = TRANSPORT.format(port=silent.getsockname()[1])
        edits = [("begin routers\n", routers), ("begin transports\n", transport)]
        with prepared("--workers", "1", edits=edits) as daemon:
            wanted = {user.address: user for user in (daemon.admin, daemon.add_user())}
            with daemon.smtp() as client:
                for number in range(MESSAGES):
                    letter = f"Subject: {number}\r\n\r\nx\r\n".encode()
                    client.sendmail("", [*wanted, f"{daemon.admin.name}@stalled.test"], letter)
            ids = wait_until(lambda: _so_many(daemon, MESSAGES), "all in the queue")
            begun.touch()
            words = [str(COMMAND.with_name("exim")), "-qf"]
            with subprocess.Popen(
                words, env=os.environ | {"PILLARBOX_CONFIG": str(configuration(daemon))}
            ) as run:
                wait_until(lambda: len(_deliveries(daemon)) > MESSAGES // 2, "deliveries of the run")
                run.kill()
                daemon.kill()
            recorded = {
                (each, address) for each in ids for address in wanted if _is_on_record(daemon, each, address)
            }
            edit(daemon, "driver = manualroute\n  route_list = * 127.0.0.1\n  transport = stalled_smtp\n  self = send",
                 "driver = redirect\n  data = :blackhole:")  # fmt: skip
            daemon.start()
            command(daemon, "exim", "-qf")
            wait_until(lambda: daemon.log.count(" Completed") == MESSAGES, "the end of all messages")
            made = Counter(_deliveries(daemon))
            assert set(made) == {(each, user.name) for each in ids for user in wanted.values()}, daemon.log
            repeated = {(each, address) for each, address in recorded if made[each, wanted[address].name] > 1}
            assert not repeated, daemon.log
            for user in wanted.values():  # a repeated delivery finds its own file
                assert len(daemon.delivered(user)) == MESSAGES
            assert daemon.panics == ""


def _deliveries(daemon: Daemon) -> list[tuple[str, str]]:
    """Message and mailbox of each local delivery that the log tells of."""
    return re.findall(r"(?m) (\S{23}) => (\w+) <\S+@localhost>", daemon.log)


def _is_on_record(daemon: Daemon, message_id: str, recipient: str) -> bool:
    """In -J, or in the tree of -H, once the message has been shown in the queue."""
    address = recipient.encode()
    journal, header = (_input(daemon) / f"{message_id}{suffix}" for suffix in ("-J", "-H"))
    if journal.exists() and address in journal.read_bytes().splitlines():
        return True
    return (
        header.exists()
        and re.search(rb"(?m)^[NY]{2} " + re.escape(address) + rb"$", header.read_bytes()) is not None
    )


def _input(daemon: Daemon) -> Path:
    return next(daemon.data.rglob("input"))


def _listed(daemon: Daemon) -> list[str]:
    return command(daemon, "exim", "-bpi").stdout.decode().split()


def _so_many(daemon: Daemon, count: int) -> list[str]:
    found = [path.name[:-2] for path in _input(daemon).glob("*-H")]
    return found if len(found) == count else []
