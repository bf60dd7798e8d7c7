"""Hosts are down, busy, full or rude for hours: in the end everybody has his message once, or its sender was told why not, and soon."""

from __future__ import annotations

import os
import random
import re
from collections import Counter

import pytest
from tests.support.delivery_world import World, assigned
from tests.support.moody_network import MOODS, Mood, MoodyNetwork
from tests.support.scripted_delivery import MAILDIR

from pillarbox.flow.queue.runner import QueueRun
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Host, Routed
from pillarbox.flow.transport.transports.smtp import Smtp
from pillarbox.language.expand.template import Template

SEEDS = range(400 if os.environ.get("PILLARBOX_LONG") else 20)
RETRY = "* * F,2h,15m; G,10h,30m,1.5"
HOURS_OF_RETRIES = 10
HOURS_OF_TROUBLE = 4
WELL_WITHIN = 5 * 3600.0
"""By then each message has been tried again, after all is well: the interval of the rule has not grown beyond that."""
STEP = 300.0


class Town:
    """Three domains with two hosts each, one of them shared by all."""

    def __init__(self, seed: int, moods: tuple[Mood, ...]) -> None:
        self.dice = random.Random(seed)
        self.choice = moods
        self.hosts = {
            f"d{n}.test": (
                Host(
                    f"mx{n}.test",
                    (f"192.0.2.{n}", f"192.0.2.{n + 10}")[: self.dice.randint(1, 2)],
                    mx_preference=1,
                ),
                *(
                    [Host("shared.test", ("192.0.2.99",), mx_preference=2)]
                    if self.dice.random() < 0.6
                    else []
                ),
            )
            for n in (1, 2, 3)
        }
        self.is_well = False
        self.moods: dict[str, tuple[float, Mood]] = {}
        self.network = MoodyNetwork(self.mood)
        options = {
            "connection_max_messages": self.dice.choice((1, 500)),
            "max_rcpt": Template.parse(self.dice.choice(("1", "2", "100"))),
        }
        self.world = World(
            self.answer,
            {"maildir": MAILDIR, "remote": Smtp(name="remote", **options)},
            retry=RETRY,
            network=self.network,
        )

    def mood(self, address: str) -> Mood:
        if self.is_well:
            return "well"
        now = self.world.clock.now()
        until, mood = self.moods.get(address, (0.0, "well"))
        if now >= until:
            mood = self.dice.choice(self.choice)
            self.moods[address] = now + self.dice.choice((60.0, 600.0, 3600.0, 7200.0)), mood
        return mood

    def answer(self, candidate: Candidate) -> Routed:
        if candidate.domain in self.hosts:
            return assigned(candidate, "remote", hosts=self.hosts[candidate.domain])
        return assigned(candidate, "maildir")

    async def send(self, number: int) -> list[tuple[str, str]]:
        addresses = [
            f"u{n}@{domain}"
            for n in range(3)
            for domain in self.dice.sample(sorted(self.hosts), self.dice.randint(0, 2))
        ] or ["u@d1.test"]
        queued = await self.world.accept(
            *addresses, headers=b"Subject: x\nMessage-ID: <m%d@sender.example>\n" % number
        )
        self.world.side.lane.first_delivery(queued)
        return [(f"m{number}", address) for address in addresses]

    async def send_all(self, hours: int) -> list[tuple[str, str]]:
        """Message by message, while they pass."""
        sent: list[tuple[str, str]] = []
        for number in range(8):
            sent += await self.send(number)
            await self.pass_time(hours * 3600 / 8)
        return sent

    async def pass_time(self, seconds: float) -> None:
        end = self.world.clock.now() + seconds
        while self.world.clock.now() < end:
            await self.world.side.lane.drain()
            self.world.clock.jump(STEP)
            await self.world.side.runner.run(QueueRun())
        await self.world.side.lane.drain()
        await self.world.services.keep.quit()


@pytest.mark.parametrize("seed", SEEDS)
async def test_everybody_has_his_message_once(seed: int) -> None:
    town = Town(seed, ("well", *(mood for mood in MOODS if mood != "rejects")))
    sent = await town.send_all(HOURS_OF_TROUBLE)
    town.is_well = True
    await town.pass_time(WELL_WITHIN)
    lines = town.world.journal.lines
    assert not list(town.world.spool.waiting()), lines
    assert not [line for line in lines if " ** " in line], "bounced before its time"
    assert town.network.taken.keys() == set(sent)
    assert set(town.network.taken.values()) == {1}
    assert not town.world.journal.panics


@pytest.mark.parametrize("seed", SEEDS)
async def test_who_has_it_not_is_in_a_bounce(seed: int) -> None:
    town = Town(seed, tuple(mood for mood in MOODS if mood != "well"))
    sent = await town.send_all(HOURS_OF_TROUBLE)
    await town.pass_time(1.5 * HOURS_OF_RETRIES * 3600)
    town.is_well = True
    await town.pass_time(HOURS_OF_RETRIES * 3600)
    assert not list(town.world.spool.waiting()), town.world.journal.lines
    bounces = town.world.files.files.get("/mail/alice", [])
    told = Counter(
        (f"m{found[1].decode()}", address.decode())
        for bounce in bounces
        if (found := re.search(rb"Message-ID: <m(\d+)@sender", bounce))
        for address in re.findall(rb"Final-Recipient: rfc822;\s*(\S+)", bounce)
    )
    assert set(told.values()) <= {1}, "told twice"
    assert set(town.network.taken.values()) <= {1}, "there twice"
    assert not told.keys() & town.network.taken.keys(), "there, and in a bounce"
    assert told.keys() | town.network.taken.keys() == set(sent), "neither there nor in a bounce"
    assert not town.world.journal.panics
