"""Readers that remove messages from an mbox are killed again and again beside deliveries: none is lost, doubled, damaged or another one."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from contextlib import suppress
from pathlib import Path

import pytest

from pillarbox.backends.mailstore.mbox import access
from pillarbox.backends.userfiles.single_file import append
from pillarbox.backends.userfiles.stopping import Stopped
from pillarbox.mail.message import MemoryBody
from pillarbox.ports.mailplace import MailPlace
from pillarbox.ports.userfiles import FileRules, FileWork, Locking

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif("PILLARBOX_LONG" not in os.environ, reason="takes half a minute"),
]
KILLS = 25
FROM = b"From a@b Mon Nov 23 03:53:00 2026\n"


def message(number: int) -> bytes:
    lines = random.choice((1, 50, 20_000))
    return FROM + b"Subject: %d\n\n" % number + b"%d text\n" % number * lines + b"END\n\n"


def deliver(folder: Path, stop: threading.Event, sent: list[int]) -> None:
    """By fcntl alone, because the lock files of those who are killed are taken away here."""
    rules = FileRules(locking=Locking(with_lockfile=False), checks_owner=False)
    work = FileWork(kind="mbox", path=f"{folder}/box", rules=rules)
    while not stop.is_set():
        body = MemoryBody(message(len(sent)))
        while True:
            try:
                append(work, body)
                break
            except Stopped:
                time.sleep(0.002)
        sent.append(len(sent))
        time.sleep(random.random() * 0.01)


def kill_readers(folder: Path) -> None:
    command = [sys.executable, "-m", "tests.process.mbox_reader", str(folder)]
    for _ in range(KILLS):
        reader = subprocess.Popen(command)
        with suppress(subprocess.TimeoutExpired):
            pytest.fail(f"a reader ended by itself: {reader.wait(0.5 + random.random() * 0.7)}")
        reader.kill()
        reader.wait()
        (folder / "box.lock").unlink(missing_ok=True)


def test_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    stop = threading.Event()
    sent: list[int] = []
    (tmp_path / "going").touch()
    (tmp_path / "seen").touch()
    delivering = threading.Thread(target=deliver, args=(tmp_path, stop, sent))
    delivering.start()
    try:
        kill_readers(tmp_path)
    finally:
        stop.set()
        delivering.join()
    with access.changing(MailPlace(f"{tmp_path}/root", f"{tmp_path}/box")):
        pass
    left = check_messages((tmp_path / "box").read_bytes())
    going = {int(line) for line in (tmp_path / "going").read_text().split()}
    assert not set(sent) - left - going
    check_uids((tmp_path / "seen").read_text())
    assert not list((tmp_path / "root").glob("*rescued*"))


def check_messages(box: bytes) -> set[int]:
    found: Counter[int] = Counter()
    for text in re.split(rb"(?m)^" + FROM, box)[1:]:
        numbers = {int(number) for number in re.findall(rb"(?m)^(?:Subject: )?(\d+)(?: text)?$", text)}
        assert len(numbers) == 1, text[:300]
        assert text.endswith(b"\nEND\n\n"), text[-300:]
        found.update(numbers)
    assert not [number for number, count in found.items() if count > 1]
    return set(found)


def check_uids(seen: str) -> None:
    messages, uids = defaultdict(set), defaultdict(set)
    for line in seen.splitlines()[:-1]:
        uid, _, number = line.partition(" ")
        if number:
            messages[uid].add(number)
            uids[number].add(uid)
    assert messages
    assert not [uid for uid, numbers in messages.items() if len(numbers) > 1]
    assert not [number for number, given in uids.items() if len(given) > 1]
