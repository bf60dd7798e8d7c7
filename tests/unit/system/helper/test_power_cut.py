"""The power goes at any moment of deliveries through the helper: what was said to be durable is there, though desks die meanwhile.

A desk is simulated: what it writes is lost in a power cut until a sync that began later has ended. The channels yield at random, and break
at random before, in the middle of and after a piece of work. Whoever has delivered and synced (as the fast lane does before the spool
forgets) looks at once at what a power cut would leave.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import pytest

from pillarbox.mail.message import MemoryBody
from pillarbox.ports.localwork import Actor, WorkRefused
from pillarbox.ports.userfiles import FileRules, FileWork, Written
from pillarbox.system.helper.channel import GONE, HelperGone
from pillarbox.system.helper.requests import Answer, Deliver, Done, FileAnswer, Request, Sync
from pillarbox.system.helper.work import HelperWork

ACTOR = Actor(1000, 1000)
DEVICES = 2


class Machine:
    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.written: list[Counter[str]] = [Counter() for _ in range(DEVICES)]
        self.durable: list[set[str]] = [set() for _ in range(DEVICES)]

    async def pause(self) -> None:
        for _ in range(self.chance.randrange(4)):
            await asyncio.sleep(0)

    def may_die(self) -> None:
        if self.chance.random() < 0.1:
            raise HelperGone(GONE)

    async def serve(self, request: Request) -> Answer:
        self.may_die()
        await self.pause()
        match request:
            case Deliver(work=work):
                device = len(work.path) % DEVICES
                if not (work.is_repeat and self.written[device][work.path]):
                    self.written[device][work.path] += 1
                self.may_die()
                await self.pause()
                return FileAnswer(Written(work.path), device + 1)
            case Sync(places=places):
                for device, _ in places:
                    covered = set(self.written[device - 1])
                    await self.pause()
                    self.may_die()
                    self.durable[device - 1] |= covered
                return Done()
        raise AssertionError(request)


class FakeChannel:
    load, stuck_for, is_broken = 0, 0.0, False

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    async def ask(self, request: Request, descriptors: tuple[int, ...] = ()) -> Answer:
        await self._machine.pause()
        return await self._machine.serve(request)


class SimulatedWork(HelperWork):
    def __init__(self, machine: Machine) -> None:
        super().__init__(None)  # type: ignore[arg-type]
        self._machine = machine

    def _channel(self, *_: Any, **__: Any) -> Any:
        return FakeChannel(self._machine)


@pytest.mark.parametrize("seed", range(60))
async def test_what_was_synced_survives(seed: int) -> None:
    machine = Machine(seed)
    work = SimulatedWork(machine)
    promised: set[str] = set()

    async def one(path: str) -> None:
        await machine.pause()
        job = FileWork(kind="mbox", path=path, rules=FileRules())
        try:
            result = await work.deliver(job, MemoryBody(b"x"), ACTOR)
            await work.sync()
        except WorkRefused:
            return  # deferred: the spool keeps it
        assert result == Written(path)
        assert path in machine.durable[len(path) % DEVICES]
        promised.add(path)

    await asyncio.gather(*(one(f"/box/{'x' * (n % 2)}{n:04}") for n in range(40)))
    assert len(promised) > 20
    assert all(count == 1 for written in machine.written for count in written.values())
