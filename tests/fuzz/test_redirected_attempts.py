"""However often deliveries and lookups are put off, each is made once, and the same ones are made as when nothing is ever put off.

Random aliases and filters (loops, copies by `unseen`, lists with `one_time`, commands and files of several users, discarded and refused
addresses) through real routers and the real spool, which is opened anew for each attempt. With the power cut on the way some may be made
twice, but none is missing.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from dataclasses import dataclass

import pytest
from tests.support.clock import JumpClock
from tests.support.delivery_world import MemoryUserFiles, World
from tests.support.dice import Dice, FarDice, Fate, Leaf
from tests.support.routing import FakeLookup, RoutingWorld
from tests.support.simulated_disk import SimulatedDisk, keep_some

from pillarbox.backends.spool.local import LocalSpool
from pillarbox.flow.queue.runner import QueueRun
from pillarbox.ports.lookups import LookupDefer

SEEDS = range(400 if os.environ.get("PILLARBOX_LONG") else 15)
ATTEMPTS = 12
NAMES = "abcdefgh"
ROUTERS = """
far:
  driver = manualroute
  domains = far.test
  transport = smtp
  route_data = 192.0.2.1
  unseen = {far_goes_on}
copies:
  driver = accept
  local_parts = {copied}
  unseen
  transport = file
lists:
  driver = redirect
  data = ${{lookup{{$local_part}}lsearch{{/lists}}}}
  unseen = {lists_go_on}
  allow_fail
  pipe_transport = pipe
  file_transport = file
  qualify_preserve_domain
once:
  driver = redirect
  data = ${{lookup{{$local_part}}lsearch{{/once}}}}
  one_time
  qualify_preserve_domain
filters:
  driver = redirect
  data = ${{lookup{{$local_part}}lsearch{{/filters}}}}
  allow_filter
  pipe_transport = pipe
  file_transport = file
aliases:
  driver = redirect
  data = ${{lookup{{$local_part}}lsearch{{/aliases}}}}
  pipe_transport = pipe
  file_transport = file
  qualify_preserve_domain
local:
  driver = accept
  transport = local
"""


_ACTIONS = {
    f"{unseen}{verb}": whom
    for unseen in ("", "unseen ")
    for verb, whom in (
        ("deliver", ("$me@here.test", *(f"{name}@here.test" for name in NAMES), "a@far.test")),
        ("save", ("/one", "/two", "/dev/null")),
        ("pipe", ("first", "second")),
    )
}
"""Of filters."""


class Unsteady(FakeLookup):
    """Cannot be asked now and then."""

    def __init__(self, tables: dict[str, dict[str, str]], chance: random.Random, trouble: float) -> None:
        super().__init__(tables)
        self.chance = chance
        self.trouble = trouble

    def find_now(self, key: str, source: str) -> str | None:
        if self.chance.random() < self.trouble:
            raise LookupDefer("the disk is asleep")
        return super().find_now(key, source)


@dataclass(frozen=True)
class Town:
    """Who is redirected to what, and which deliveries never succeed."""

    seed: int
    routers: str
    tables: dict[str, dict[str, str]]
    recipients: tuple[str, ...]

    @classmethod
    def made_up(cls, seed: int) -> Town:
        dice = random.Random(seed)
        people = [*NAMES, *NAMES, "a@far.test", "b@far.test", ":blackhole:"]
        things = [*people, "|first", "|second", "/one", "/two"]
        has_one_time = dice.random() < 0.5
        tables = {
            name: {
                key: dice.choices(whom, k=dice.randint(1, 4))
                for key in dice.sample(NAMES, dice.randint(0, most))
            }
            for name, whom, most in (
                ("/lists", things, 6),
                ("/aliases", things, 6),
                ("/once", people, 3 * has_one_time),
            )
        }
        if has_one_time:  # no circles: what has taken another's place has forgotten whom it came from
            for table in tables.values():
                for key, items in table.items():
                    items[:] = [item for item in items if item not in NAMES or item > key] or ["|last"]
        if dice.random() < 0.3:
            tables["/lists"][dice.choice(NAMES)] = [":fail: gone"]
        actions = [f"{verb} {what}" for verb, whom in _ACTIONS.items() for what in whom]
        filters = {
            key: dice.choices(actions, k=dice.randint(1, 3))
            for key in dice.sample(NAMES, dice.randint(0, 0 if has_one_time else 3))
        }
        texts = {
            name: {key: ", ".join(items) for key, items in table.items()} for name, table in tables.items()
        }
        texts["/filters"] = {
            key: "\n".join(("# Exim filter", *lines)).replace("$me", key) for key, lines in filters.items()
        }
        routers = ROUTERS.format(
            copied=" : ".join(dice.sample(NAMES, dice.randint(0, 3))),
            lists_go_on=dice.choice(("yes", "no", "${if match{$local_part}{[a-d]}{yes}{no}}")),
            far_goes_on="no" if has_one_time else dice.choice(("yes", "no", "no")),
        )
        recipients = tuple(f"{name}@here.test" for name in dice.sample(NAMES, dice.randint(1, 4)))
        return cls(seed, routers, texts, recipients)

    def never(self, leaf: Leaf) -> bool:
        return "sender.example" not in leaf[1] and random.Random(f"{self.seed}{leaf}").random() < 0.15


class Mailboxes(MemoryUserFiles):
    """Notes on the disk's log what a sync has covered."""

    def __init__(self, disk: SimulatedDisk) -> None:
        super().__init__()
        self.disk = disk

    async def sync(self) -> None:
        covered = len(self.disk.log)
        await super().sync()
        self.disk.mark("synced", covered)


class Life:
    """Of one message. `trouble`: the share of lookups and deliveries that are put off; `cuts`: of attempts in which the power fails."""

    def __init__(self, town: Town, trouble: float, cuts: float = 0.0) -> None:
        self.town = town
        self.trouble = trouble
        self.cuts = cuts
        self.chance = random.Random(town.seed + 1)
        self.clock = JumpClock()
        self.disk = SimulatedDisk()
        self.delivered: Counter[Leaf] = Counter()
        self.failed: set[str] = set()
        """Of these the sender hears once, whichever of its parents comes to one first."""
        self.id = ""
        self.log: list[str] = []
        """Of the last attempt."""

    async def live(self) -> tuple[Counter[Leaf], set[str]]:
        await self.attempt()
        if self.trouble:
            for _ in range(ATTEMPTS):
                await self.attempt()
            self.trouble = self.cuts = 0.0
            await self.attempt()
        spool = await self.opened()
        assert not list(spool.waiting()), f"something still waits: {self.log}"
        await spool.stop()
        return self.delivered, self.failed

    async def attempt(self) -> None:
        spool = await self.opened()
        world = self.world(spool)
        if not self.id:
            queued = await world.accept(*self.town.recipients)
            self.id, begin = queued.id, len(self.disk.log)
            await world.deliver(queued)
        else:
            begin = len(self.disk.log)
            await world.side.runner.run(QueueRun(force=True))
            await world.side.lane.drain()
        await spool.stop()
        self.clock.jump(60)
        self.log = world.journal.lines
        failed = (line.partition(" ** ")[2] for line in self.log if line.startswith(f"{self.id} ** "))
        self.failed.update(line.split(" ")[0] for line in failed)
        end = len(self.disk.log)
        is_cut = self.chance.random() < self.cuts
        cut = self.chance.randint(begin, end) if is_cut else end
        self.count(begin, cut, is_cut=is_cut)
        if is_cut:
            self.disk = self.disk.survivors(cut, keep_some(self.chance.randint(0, 1 << 30)))

    def count(self, begin: int, cut: int, *, is_cut: bool) -> None:
        """What was delivered and is there for good: local files once they are synced."""
        made: list[tuple[int, Leaf]] = []
        for place, entry in enumerate(self.disk.log[begin:cut], begin):
            match entry:
                case ("mark", "made", self.id, leaf, True):
                    self.delivered[leaf] += 1  # type: ignore[index]
                case ("mark", "made", self.id, leaf, False):
                    made.append((place, leaf))  # type: ignore[arg-type]
                case ("mark", "synced", int(covered)):
                    self.delivered.update(leaf for at, leaf in made if at < covered)
                    made = [(at, leaf) for at, leaf in made if at >= covered]
        if not is_cut:
            self.delivered.update(leaf for _, leaf in made)

    async def opened(self) -> LocalSpool:
        spool = LocalSpool(
            "/spool", self.clock, disk=self.disk, segment_size=16384, max_segments=3, in_memory=4096
        )
        await spool.start()
        return spool

    def world(self, spool: LocalSpool) -> World:
        town, disk = self.town, self.disk
        routing = RoutingWorld(town.routers)
        unsteady = Unsteady(town.tables, self.chance, self.trouble)
        routing.services.language.lookups.lookup = unsteady  # type: ignore[union-attr]

        def throw(leaf: Leaf) -> Fate:
            if self.chance.random() < self.trouble:
                return "deferred"
            return "failed" if town.never(leaf) else "delivered"

        def note(message_id: str, leaf: Leaf, is_far: bool) -> None:
            disk.mark("made", message_id, leaf, is_far)

        Dice.throw, Dice.note = staticmethod(throw), staticmethod(note)
        transports = {name: Dice(name=name) for name in ("local", "file", "pipe")}
        return World(
            lambda candidate: None,  # type: ignore[arg-type, return-value]
            {**transports, "smtp": FarDice(name="smtp")},  # type: ignore[dict-item]
            retry="* * F,2d,15m",
            spool=spool,
            files=Mailboxes(disk),
            chain=routing.chain,
            clock=self.clock,
        )


@pytest.mark.parametrize("trouble", [0.2, 0.5])
@pytest.mark.parametrize("seed", SEEDS)
async def test_all_are_made_and_none_twice(seed: int, trouble: float) -> None:
    town = Town.made_up(seed)
    expected, failures = await Life(town, 0.0).live()
    delivered, failed = await Life(town, trouble).live()
    assert (delivered.keys(), failed) == (expected.keys(), failures), f"{town}"
    # At once an address on two circles has two copies in its mailbox, which are one thing when it is put off.
    assert delivered <= expected, f"{town}"


@pytest.mark.parametrize("seed", SEEDS)
async def test_none_is_missing_though_the_power_fails(seed: int) -> None:
    town = Town.made_up(seed)
    expected, _ = await Life(town, 0.0).live()
    delivered, _ = await Life(town, 0.3, cuts=0.3).live()
    assert delivered.keys() == expected.keys(), f"{town}"
