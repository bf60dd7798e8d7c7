"""The power fails at every step of accepting and delivering: each message answered for is in its Maildir for good, or comes back."""

from __future__ import annotations

import pytest
from tests.support.clock import JumpClock
from tests.support.delivery_world import MemoryUserFiles, World, assigned
from tests.support.simulated_disk import Choice, SimulatedDisk, drop_all, keep_all, keep_some

from pillarbox.backends.spool.local import LocalSpool
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Host, Routed
from pillarbox.flow.transport.transports.appendfile import Appendfile
from pillarbox.flow.transport.transports.smtp import Smtp
from pillarbox.language.expand.template import Template
from pillarbox.ports.userfiles import MaildirDelivery

MAILDIR = Appendfile(name="maildir", directory=Template.parse("/mail/$local_part_data"), maildir_format=True)
REMOTE = Smtp(name="remote")
ROUNDS = 6


class NotingFiles(MemoryUserFiles):
    """Notes on the disk's log what a sync of the file system has covered; the rest would be gone with the power."""

    def __init__(self, disk: SimulatedDisk) -> None:
        super().__init__()
        self.disk = disk

    def deliver_maildir(self, delivery: MaildirDelivery) -> str:
        path = super().deliver_maildir(delivery)
        self.disk.mark("written", path)
        return path

    async def sync(self) -> None:
        covered = frozenset(self.names)
        await super().sync()
        self.disk.mark("durable", covered)


def answer(candidate: Candidate) -> Routed:
    if candidate.domain == "far.example":
        return assigned(candidate, "remote", hosts=(Host("mx.far.example", ("192.0.2.9",)),))
    return assigned(candidate, "maildir")


def open_spool(disk: SimulatedDisk) -> LocalSpool:
    return LocalSpool("/spool", JumpClock(), disk=disk, segment_size=16384, max_segments=3, in_memory=4096)


async def live(disk: SimulatedDisk) -> dict[str, tuple[str, ...]]:
    """Accept and deliver; recipients by message id. One in three goes to a host that is down as well, or only there."""
    spool = open_spool(disk)
    await spool.start()
    world = World(
        answer,
        {"maildir": MAILDIR, "remote": REMOTE},
        retry="* * F,2d,15m",
        spool=spool,
        files=NotingFiles(disk),
    )
    sent: dict[str, tuple[str, ...]] = {}
    for number in range(ROUNDS):
        for recipients in (("bob@here",), ("carol@here", "dan@far.example"), ("eve@far.example",)):
            queued = await world.accept(*recipients, body=b"%d\n" % number * 300)
            disk.mark("accepted", queued.id)
            sent[queued.id] = recipients
            world.side.lane.first_delivery(queued)
        if number % 2:
            await world.side.lane.drain()
    await world.side.lane.drain()
    await spool.stop()
    return sent


def facts(disk: SimulatedDisk, cut: int) -> tuple[set[str], set[str]]:
    """(ids answered for, Maildir files that are on the disk) at that moment."""
    accepted: set[str] = set()
    durable: set[str] = set()
    for entry in disk.log[:cut]:
        match entry:
            case ("mark", "accepted", str(message_id)):
                accepted.add(message_id)
            case ("mark", "durable", frozenset() as paths):
                durable |= paths
    return accepted, durable


@pytest.mark.parametrize(
    "choice", [drop_all, keep_all, keep_some(1), keep_some(2)], ids=["lost", "kept", "torn", "torn2"]
)
async def test_nothing_answered_for_is_lost(choice: Choice) -> None:
    disk = SimulatedDisk()
    sent = await live(disk)
    assert len(sent) == 3 * ROUNDS and any(entry[:2] == ("mark", "durable") for entry in disk.log)
    for cut in range(len(disk.log) + 1):
        accepted, durable = facts(disk, cut)
        spool = open_spool(disk.survivors(cut, choice))
        await spool.start()
        waiting = set(spool.waiting())
        for message_id in accepted:
            is_in_mailbox = any(message_id in path for path in durable)
            is_all_local = all(address.endswith("@here") for address in sent[message_id])
            assert message_id in waiting or (is_in_mailbox and is_all_local), f"{message_id} lost at {cut}"
        await spool.stop()
