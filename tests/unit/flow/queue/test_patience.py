"""Messages that wait for room: each tries by itself from time to time, and when a queue run asks."""

from __future__ import annotations

import asyncio

from tests.support.clock import JumpClock

from pillarbox.flow.queue.patience import Patience
from pillarbox.ports.spool import SpoolFull


class Lines:
    def __init__(self) -> None:
        self.said: list[str] = []

    def panic(self, line: str) -> None:
        self.said.append(line)


class StandingClock(JumpClock):
    async def sleep(self, seconds: float) -> None:
        await asyncio.Event().wait()


async def test_a_queue_run_needs_not_wait_for_their_time() -> None:
    lines = Lines()
    patience = Patience(lines, StandingClock())  # type: ignore[arg-type]
    has_room = False
    tries = 0

    async def act() -> None:
        nonlocal tries
        tries += 1
        await asyncio.sleep(0)
        if not has_room:
            raise SpoolFull("no room")

    waiting = [asyncio.ensure_future(patience.until_there_is_room(act, "kept")) for _ in range(3)]
    await asyncio.sleep(0.01)
    assert tries == 3
    await patience.try_now()
    assert (tries, [task.done() for task in waiting]) == (6, [False] * 3)
    has_room = True
    await patience.try_now()
    assert tries == 9
    await asyncio.wait_for(asyncio.gather(*waiting), 5)
    assert lines.said == ["kept: no room"] * 3
    await patience.try_now()


async def test_who_is_cancelled_holds_nobody_up() -> None:
    patience = Patience(Lines(), StandingClock())  # type: ignore[arg-type]

    async def act() -> None:
        raise SpoolFull("no room")

    task = asyncio.ensure_future(patience.until_there_is_room(act, "kept"))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    await asyncio.wait_for(patience.try_now(), 5)
