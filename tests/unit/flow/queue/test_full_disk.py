"""Disks that refuse for a while: nothing is forgotten, nothing stays stuck once there is room."""

from __future__ import annotations

import asyncio

from tests.support.delivery_world import World, assigned

from pillarbox.flow.queue.deliver import FORCED
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Postponed, Routed
from pillarbox.flow.transport.transports.appendfile import Appendfile
from pillarbox.language.expand.template import Template
from pillarbox.mail.outcome import Delivered, RemoteHost
from pillarbox.mail.progress import Settled
from pillarbox.mail.reply import Reason
from pillarbox.ports.spool import SpoolFull
from pillarbox.ports.userfiles import DeliveryFailure

TRANSPORTS = {
    "mailbox": Appendfile(
        name="mailbox", directory=Template.parse("/mail/$local_part_data"), maildir_format=True
    )
}


def world() -> World:
    def route(candidate: Candidate) -> Routed:
        if candidate.local_part == "later":
            return Routed(postponed=((candidate, Postponed(Reason("not now")), "r"),))
        return assigned(candidate, "mailbox")

    return World(route, TRANSPORTS, retry="* * F,1d,15m")


async def test_progress_that_cannot_be_written_is_tried_again_until_there_is_room() -> None:
    w = world()
    queued = await w.accept("later@local.example")
    await w.spool.park(queued.id)
    release, attempts = w.spool.release, []

    async def full_at_first(message_id: str) -> None:
        attempts.append(message_id)
        if len(attempts) < 3:
            raise SpoolFull("no space left")
        await release(message_id)

    w.spool.release = full_at_first  # type: ignore[method-assign]
    await w.side.runner.deliver(queued.id, FORCED)
    assert len(attempts) == 3 and len(w.journal.panics) == 1
    assert (await w.spool.claim(queued.id)).id == queued.id, "nobody holds it any more"


async def test_a_change_by_hand_waits_for_room_and_keeps_nobody_waiting() -> None:
    w = world()
    queued = await w.accept("later@local.example")
    await w.spool.park(queued.id)
    release, attempts = w.spool.release, []

    async def full_at_first(message_id: str) -> None:
        attempts.append(message_id)
        if len(attempts) < 3:
            raise SpoolFull("no space left")
        await release(message_id)

    w.spool.release = full_at_first  # type: ignore[method-assign]
    answer = await w.side.admin.freeze(queued.id, "root")
    assert answer.is_done and len(attempts) == 1
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(attempts) == 3 and len(w.journal.panics) == 1
    assert (await w.spool.claim(queued.id)).progress.is_frozen


async def test_the_lane_goes_on_after_a_sync_that_failed() -> None:
    w = world()
    sync, failures = w.files.sync, [DeliveryFailure("/mail: Input/output error")]

    async def fails_once() -> None:
        if failures:
            raise failures.pop()
        await sync()

    w.files.sync = fails_once  # type: ignore[method-assign]
    first = await w.accept("bob@local.example")
    w.side.lane.first_delivery(first)
    for _ in range(20):
        await asyncio.sleep(0)
    second = await w.accept("carol@local.example")
    w.side.lane.first_delivery(second)
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(w.journal.panics) == 1
    assert w.spool._held == {first.id}, "kept, as it may not be on disk; the second is done"
    await w.side.lane.drain()


async def test_what_another_server_took_is_noted_before_local_deliveries_are_synced() -> None:
    """A crash while the local copy waits for its sync must not send the other one again."""
    w = World(lambda c: assigned(c, "mailbox"), TRANSPORTS)
    queued = await w.accept("bob@local.example", "carol@remote.example")
    host = RemoteHost("mx.remote.example", "192.0.2.1", 25)
    outcomes = [
        Delivered(address="bob@local.example", recipient="bob@local.example"),
        Delivered(address="carol@remote.example", recipient="carol@remote.example", host=host),
    ]
    settlement = await w.side.delivery._settler.settle(queued, outcomes, {})
    assert settlement.is_complete and settlement.needs_sync
    assert [e.address for e in settlement.events if isinstance(e, Settled)] == ["carol@remote.example"]
