"""The queue's files beside a running daemon: removed by hand, and kept true when everything is killed in the middle of a delivery."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from tests.process.daemon import Daemon, wait_until
from tests.process.prepared import LATER, command, edit, prepared

pytestmark = pytest.mark.process
STALLED = """begin routers

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
        pair, lone_header, lone_data, whole = wait_until(lambda: _four(daemon), "four messages in the queue")
        for name in (f"{pair}-H", f"{pair}-D", f"{lone_header}-D", f"{lone_data}-H"):
            (_input(daemon) / name).unlink()
        assert sorted(_listed(daemon)) == sorted([lone_header, whole])
        assert command(daemon, "exim", "-q").returncode == 0
        command(daemon, "exim", "-M", lone_header)
        daemon.await_log(f"{lone_header} Spool file {lone_header}-D not found")
        assert command(daemon, "exim", "-Mrm", lone_header).returncode == 1
        assert command(daemon, "exim", "-Mrm", whole).returncode == 0
        wait_until(lambda: not _listed(daemon), "an empty queue")
        daemon.send(b"Subject: on it goes\n\nx\n", to=daemon.admin.address)
        wait_until(lambda: daemon.delivered(daemon.admin), "new mail")
        assert daemon.panics == ""


def test_a_kill_while_one_host_dawdles_does_not_repeat_the_other_deliveries() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        transport = TRANSPORT.format(port=silent.getsockname()[1])
        edits = [("begin routers\n", STALLED), ("begin transports\n", transport)]
        with prepared("--workers", "1", edits=edits) as daemon:
            with daemon.smtp() as client:
                client.sendmail(
                    "",
                    [daemon.admin.address, f"{daemon.admin.name}@stalled.test"],
                    b"Subject: both\r\n\r\nx\r\n",
                )
            line = daemon.await_log("=> ")
            message_id = line.split()[2]
            wait_until(lambda: _is_on_record(daemon, message_id), "the local delivery is on record")
            daemon.kill()
            edit(daemon, "driver = manualroute\n  route_list = * 127.0.0.1\n  transport = stalled_smtp\n  self = send",
                 "driver = redirect\n  data = :blackhole:")  # fmt: skip
            daemon.start()
            daemon.await_log(f"{message_id} Completed")
            lines = [
                each for each in daemon.log.splitlines() if f"{message_id} => {daemon.admin.name}" in each
            ]
            assert len(lines) == 1, daemon.log
            assert len(daemon.delivered(daemon.admin)) == 1


def _is_on_record(daemon: Daemon, message_id: str) -> bool:
    """In -J, or in the tree of -H, once the message has been shown in the queue."""
    address = daemon.admin.address.encode()
    journal, header = (_input(daemon) / f"{message_id}{suffix}" for suffix in ("-J", "-H"))
    if journal.exists():
        return address in journal.read_bytes().splitlines()
    return header.exists() and b"NN " + address in header.read_bytes().splitlines()


def _input(daemon: Daemon) -> Path:
    return next(daemon.data.rglob("input"))


def _listed(daemon: Daemon) -> list[str]:
    return command(daemon, "exim", "-bpi").stdout.decode().split()


def _four(daemon: Daemon) -> list[str]:
    found = _listed(daemon)
    return found if len(found) == 4 else []
