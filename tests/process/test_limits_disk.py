"""Full disks: clients are told to come later, nothing is half written, nothing is lost, and work goes on by itself."""

from __future__ import annotations

import os
import shutil
import smtplib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.process.daemon import Daemon, wait_until
from tests.process.prepared import LATER, command, edit, prepare

pytestmark = pytest.mark.process
MB = 1024 * 1024
RETRY = ("F,2h,15m; G,16h,1h,1.5; F,4d,6h", "F,1h,1s")
LONG = pytest.mark.skipif("PILLARBOX_LONG" not in os.environ, reason="takes long; set PILLARBOX_LONG=1")
END = b"the end of it\n"


@contextmanager
def _small_disk(path: Path, size: int) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    path.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", str(path)],
        capture_output=True,
        text=True,
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a tmpfs: {mounted.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def _fill(path: Path) -> Path:
    """A file that takes all the room there is."""
    filler = path / "filler"
    with open(filler, "wb", buffering=0) as file:
        for size in (MB, 4096, 1):
            try:
                while file.write(b"\0" * size) == size:
                    continue
            except OSError:
                continue
    return filler


def _send(daemon: Daemon, number: int, size: int) -> int:
    """The answer's code."""
    text = f"Subject: number {number}.\n\n".encode() + (b"x" * 72 + b"\n") * (size // 73) + END
    try:
        daemon.send(text)
    except smtplib.SMTPResponseException as error:
        return error.smtp_code
    except smtplib.SMTPRecipientsRefused as error:
        return next(iter(error.recipients.values()))[0]
    except smtplib.SMTPServerDisconnected:
        return 0
    return 250


def _delivered(daemon: Daemon) -> dict[int, bytes]:
    """By number; each whole and once."""
    found: dict[int, bytes] = {}
    for path in daemon.delivered(daemon.admin):
        text = path.read_bytes()
        assert text.endswith(END), f"{path} is half a message"
        number = int(text.partition(b"Subject: number ")[2].partition(b".")[0])
        assert number not in found, f"number {number} is there twice"
        found[number] = text
    return found


@pytest.mark.parametrize("size", [200_000, pytest.param(1_000, marks=LONG)])
def test_a_full_disk(size: int) -> None:
    """Everything on one disk that fills up: messages that fit the fast lane, and larger ones that do not."""
    daemon = Daemon("--workers", "1")
    with _small_disk(daemon.data, 48 * MB):
        try:
            prepare(daemon, RETRY)
            daemon.start()
            assert _send(daemon, 0, 1000) == 250
            wait_until(lambda: _delivered(daemon), "the first message")
            filler = _fill(daemon.data)
            accepted, number, codes = {0}, 0, []
            while len(codes) < 3 and number < 4000:
                number += 1
                code = _send(daemon, number, size if size > 10_000 else 20_000)
                accepted |= {number} if code == 250 else set()
                codes += [code] if code != 250 else []
            assert codes == [452] * 3, f"after {len(accepted)} messages"
            assert daemon.workers, "still up"
            filler.unlink()
            wait_until(lambda: _send(daemon, 5000, 1000) == 250, "service by itself")
            accepted.add(5000)
            wait_until(lambda: accepted <= _delivered(daemon).keys(), "all that was accepted", 40)
            assert _delivered(daemon).keys() <= accepted | set(range(1, number + 1))
            wait_until(lambda: command(daemon, "exim", "-bpc").stdout == b"0\n", "an empty queue")
            assert not list((daemon.data / "spool" / "input").iterdir()), "nothing half written"
        finally:
            if daemon.is_running:
                daemon.stop()
    shutil.rmtree(daemon.folder, ignore_errors=True)


def test_a_full_disk_of_mailboxes() -> None:
    """The spool lies elsewhere: what does not fit waits in the queue."""
    daemon = Daemon("--workers", "1")
    prepare(daemon, RETRY)
    with _small_disk(daemon.data / "mail", 2 * MB):
        try:
            daemon.start()
            for number in range(40):
                assert _send(daemon, number, 100_000) == 250
            wait_until(lambda: int(command(daemon, "exim", "-bpc").stdout) > 10, "deferred messages")
            whole = _delivered(daemon)
            assert 5 < len(whole) < 30
            for path in daemon.delivered(daemon.admin):
                path.unlink()
            waiting = int(command(daemon, "exim", "-bpc").stdout)
            seen: set[int] = set(whole)

            def is_done() -> bool:
                for path in daemon.delivered(daemon.admin):
                    text = path.read_bytes()
                    assert text.endswith(END)
                    seen.add(int(text.partition(b"Subject: number ")[2].partition(b".")[0]))
                    path.unlink()
                command(daemon, "exim", "-qff")
                return len(seen) == 40

            wait_until(is_done, f"{waiting} deferred messages", 30)
            assert not list((daemon.maildir(daemon.admin) / "tmp").iterdir())
        finally:
            if daemon.is_running:
                daemon.stop()
    shutil.rmtree(daemon.folder, ignore_errors=True)


@LONG
def test_a_full_disk_for_the_progress_of_waiting_messages() -> None:
    """What waits can be tried again after the disk was full while its progress should have been written."""
    daemon = Daemon("--workers", "1")
    prepare(daemon, RETRY)
    go = daemon.folder / "go"
    data = f"${{if exists{{{go}}}{{$local_part@localhost}}{{:defer: no}}}}"
    edit(daemon, "begin routers\n", LATER.replace(":defer: not today", data))
    with _small_disk(daemon.data / "spool", 48 * MB) as spool:
        try:
            daemon.start()
            daemon.send(b"Subject: number 1.\n\n" + END, f"{daemon.admin.name}@later.test")
            wait_until(lambda: command(daemon, "exim", "-bpc").stdout == b"1\n", "a waiting message")
            filler = _fill(spool)
            wait_until(lambda: "not written" in daemon.panics, "progress without room")
            filler.unlink()
            go.touch()
            wait_until(lambda: len(_delivered(daemon)) == 1, "delivery", 30)
        finally:
            if daemon.is_running:
                daemon.stop()
    shutil.rmtree(daemon.folder, ignore_errors=True)
