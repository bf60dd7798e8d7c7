"""A process that accepts mail is killed -9 on a real file system: every message it said it had is there afterwards.

(The power cuts themselves are simulated, step by step, in tests/unit/backends/spool/test_power_cut.py.)
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.clock import StoppedClock

from pillarbox.backends.spool.local import LocalSpool

pytestmark = pytest.mark.process

WORKER = """
import asyncio, sys, time
from pillarbox.backends.spool.local import LocalSpool
from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.message import Message
class Clock:
    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)
    async def sleep(self, seconds): await asyncio.sleep(seconds)
async def accept(spool, n):
    envelope = Envelope(id=spool.new_id(), sender="a@b", recipients=(Recipient("c@d"),), origin=Origin(), received_at=1.0)
    writer = spool.body_writer(envelope.id)
    writer.write(envelope.id.encode() * (1 + n % 50 * 400))
    await spool.accept(envelope, Message(b"Subject: x\\n", writer.finish()))
    print("accepted", envelope.id, flush=True)
    if n % 3 == 1:
        await spool.park(envelope.id)
    elif n % 3 == 2:
        print("finishing", envelope.id, flush=True)
        await spool.finish(envelope.id)
async def main():
    spool = LocalSpool(sys.argv[1], Clock(), segment_size=1 << 20)
    await spool.start()
    n = 0
    while True:
        n += 10
        await asyncio.gather(*(accept(spool, n + k) for k in range(10)))
asyncio.run(main())
"""


def run_until_killed(directory: Path, lines: int) -> list[str]:
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(directory)], stdout=subprocess.PIPE, text=True
    )
    assert worker.stdout is not None
    said = [worker.stdout.readline() for _ in range(lines)]
    os.kill(worker.pid, signal.SIGKILL)
    said += worker.stdout.readlines()
    worker.wait(10)
    return [line for line in said if line.endswith("\n")]


async def test_killed_worker_loses_nothing(tmp_path: Path) -> None:
    said: list[str] = []
    for lines in (40, 95, 201):
        said += run_until_killed(tmp_path, lines)
    accepted = {line.split()[1] for line in said if line.startswith("accepted")}
    finishing = {line.split()[1] for line in said if line.startswith("finishing")}
    assert len(accepted) > 150
    spool = LocalSpool(str(tmp_path), StoppedClock(), segment_size=1 << 20)
    await spool.start()
    waiting = list(spool.waiting())
    assert accepted - finishing <= set(waiting)
    for message_id in waiting:
        body = b"".join((await spool.claim(message_id)).message.body.chunks())
        assert body == message_id.encode() * (len(body) // 23)
        await spool.finish(message_id)
    assert list(spool.waiting()) == []
    await spool.stop()
