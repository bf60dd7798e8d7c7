"""Killed at any moment: nothing that was accepted is lost, and all of it goes on at once."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from tests.process.crash import Crash
from tests.process.crash_local import LocalCrash
from tests.process.daemon import Daemon, wait_until
from tests.process.prepared import LATER, command, edit, prepared

pytestmark = pytest.mark.process
SUBJECTS = [f"m{number}" for number in range(20)]
TRANSPORT = """begin transports

stalled_smtp:
  driver = smtp
  port = {port}
"""
STALLED = """begin routers

stalled:
  domains = stalled.test
  driver = manualroute
  route_list = * 127.0.0.1
  transport = stalled_smtp
  self = send
"""
LONG = "PILLARBOX_LONG" in os.environ


def test_loses_nothing_when_killed_under_load() -> None:
    crash = Crash(30_000 if LONG else 5_000, 120.0 if LONG else 5.0, seed=20)
    is_well = asyncio.run(crash.run())
    assert is_well, "\n".join([*crash.problems[:20], crash.summary()])
    assert crash.kills.total() >= 1
    assert len(crash.load.accepted) >= 100


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can deliver as other users")
def test_loses_and_doubles_nothing_of_what_is_delivered_as_users() -> None:
    crash = LocalCrash(30_000 if LONG else 3_000, 120.0 if LONG else 2.0, seed=21)
    is_well = asyncio.run(crash.run())
    assert is_well, "\n".join([*crash.problems[:20], crash.summary()])
    assert len(crash.load.accepted) >= 50


def test_takes_over_the_journals_of_workers_that_there_are_no_more() -> None:
    """Four workers accept and die; the one that comes after has no slot for their journals."""
    with _stalled("--workers", "4") as daemon:
        daemon._arguments = ("--workers", "1")
        daemon.start()
        wait_until(lambda: _undelivered(daemon) == 0, "everything delivered")
        assert daemon.panics == ""


def test_delivers_what_a_dead_worker_had_accepted_at_once() -> None:
    """Not only at the next queue run."""
    with _stalled("--workers", "2") as daemon:
        daemon.start()
        wait_until(lambda: _undelivered(daemon) == 0, "everything delivered")


def test_a_command_killed_in_its_work_loses_nothing() -> None:
    """A bounce lies in the journal of `exim -Mg` when it dies; the daemon finds it there."""
    with prepared("--workers", "1", edits=[("begin routers\n", LATER)]) as daemon:
        daemon.send(b"Subject: waits\n\nx\n", to="somebody@later.test", sender=daemon.admin.address)
        message_id = wait_until(lambda: _listed(daemon), "a message in the queue")
        daemon.stop()
        assert command(daemon, "exim", "-Mg", message_id).returncode == 0
        daemon.start()
        bounce = wait_until(lambda: daemon.delivered(daemon.admin), "the bounce")[0].read_bytes()
        assert b"somebody@later.test" in bounce


def _listed(daemon: Daemon) -> str:
    words = command(daemon, "exim", "-bp").stdout.decode().split()
    return words[2] if words else ""


@contextmanager
def _stalled(*arguments: str) -> Iterator[Daemon]:
    """Killed while it waits for the banner of another host with `SUBJECTS` in its journals; told now to deliver them here."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        transport = TRANSPORT.format(port=silent.getsockname()[1])
        with prepared(
            *arguments, edits=[("begin routers\n", STALLED), ("begin transports\n", transport)]
        ) as daemon:
            for subject in SUBJECTS:
                message = f"Subject: {subject}\n\nx\n".encode()
                daemon.send(message, to=f"{daemon.admin.name}@stalled.test")
            daemon.kill()
            edit(daemon, "driver = manualroute\n  route_list = * 127.0.0.1\n  transport = stalled_smtp\n  self = send",
                 "driver = redirect\n  data = $local_part@localhost")  # fmt: skip
            yield daemon


def _undelivered(daemon: Daemon) -> int:
    texts = [path.read_bytes() for path in daemon.delivered(daemon.admin)]
    return sum(not any(f"Subject: {s}\n".encode() in text for text in texts) for s in SUBJECTS)


def test_ends_at_once_when_killed_twice() -> None:
    """TERM waits for a message in flight, a second TERM does not."""
    with prepared("--workers", "1") as daemon, daemon.smtp() as client:
        client.ehlo()
        client.mail("a@localhost")
        daemon.signal(signal.SIGTERM)
        code, _ = client.rcpt(daemon.admin.address)
        assert code == 250
        wait_until(lambda: _refuses(daemon.ports["smtp"]), "no new connections")
        daemon.signal(signal.SIGTERM)
        assert daemon._process is not None
        assert daemon._process.wait(5) == 0
        client.sock = None  # type: ignore[assignment]


def _refuses(port: int) -> bool:
    with suppress(ConnectionError), socket.create_connection(("127.0.0.1", port)):
        return False
    return True
