"""The fast lane, the queue runner, and what administrators do to waiting messages."""

import asyncio

from tests.support.delivery_world import QueueSettings, World, assigned
from tests.support.scripted_delivery import TRANSPORTS, Scripted, answer, waiting, world

from pillarbox.flow.queue.admin import QueueAdmin
from pillarbox.flow.queue.fastlane import LaneLimits
from pillarbox.flow.queue.runner import QueueRun
from pillarbox.flow.route.result import Host
from pillarbox.ports.spool import SpoolFull


async def test_a_fault_in_routing_costs_one_message_a_delay():
    def broken(candidate):
        if candidate.domain == "bug.example":
            raise RuntimeError("oops")
        return answer(candidate)

    w = World(broken, TRANSPORTS, retry="* * F,4d,15m")
    bad, good = await w.accept("x@bug.example"), await w.accept("bob@local.example")
    w.side.lane.first_delivery(bad)
    w.side.lane.first_delivery(good)
    await w.side.lane.drain()
    assert waiting(w) == [bad.id]
    assert w.journal.panics == [f"{bad.id} delivery broke off: RuntimeError: oops"]
    assert "/mail/bob" in w.files.files


async def test_draining_lets_others_have_their_turn(monkeypatch):
    w = world()
    queued = await w.accept("later@remote.example")
    gather = asyncio.gather

    def wary_gather(*tasks, **options):
        assert not all(task.done() for task in tasks if isinstance(task, asyncio.Task)), "this never waits"
        return gather(*tasks, **options)

    monkeypatch.setattr(asyncio, "gather", wary_gather)
    w.side.lane.first_delivery(queued)
    while w.side.lane.load:  # noqa: ASYNC110 (with 0 its task is done, what is to be done behind it is not)
        await asyncio.sleep(0)
    await w.side.lane.drain()
    assert waiting(w) == [queued.id]


async def test_the_lane_is_bounded():
    w = world(settings=QueueSettings(lane=LaneLimits(active=2, backlog=3)))
    for queued in [await w.accept("bob@local.example") for _ in range(10)]:
        w.side.lane.first_delivery(queued)
    await w.side.lane.drain()
    assert len(waiting(w)) == 8, "two were under way, the others are parked: nothing is lost"
    await w.side.runner.run(QueueRun())
    assert waiting(w) == []
    assert len(w.files.files["/mail/bob"]) == 10


async def test_a_failing_sync_keeps_messages_in_the_spool():
    w = world()

    async def fails():
        raise OSError("disk on fire")

    w.files.sync = fails
    queued = await w.accept("bob@local.example")
    await w.deliver(queued)
    assert queued.id in w.spool._held
    assert "disk on fire" in w.journal.panics[0]


async def test_queue_runs_select_by_sender_and_recipient():
    w = world()
    one = await w.accept("later@remote.example", sender="x@one.example")
    two = await w.accept("later2@remote.example", sender="y@two.example")
    for queued in (one, two):
        await w.deliver(queued)
    w.chain.asked.clear()
    await w.side.runner.run(QueueRun(force=True, recipient="LATER2"))
    assert w.chain.asked == ["later2@remote.example"]
    w.chain.asked.clear()
    await w.side.runner.run(QueueRun(force=True, sender="one.ex"))
    assert w.chain.asked == ["later@remote.example"]
    w.chain.asked.clear()
    await w.side.runner.run(QueueRun())
    assert w.chain.asked == [], "not due: skipped without a claim"


async def test_administration_speaks_exims_sentences():
    w = world()
    queued = await w.accept("later@remote.example")
    await w.deliver(queued)
    admin: QueueAdmin = w.side.admin
    name = queued.id
    assert (await admin.freeze(name, "root")).text == f"Message {name} is now frozen"
    assert (await admin.freeze(name, "root")).text == f"Message {name} is already frozen"
    w.chain.asked.clear()
    await w.side.runner.run(QueueRun(force=True))
    assert w.chain.asked == []
    assert (await admin.thaw(name, "root")).text == f"Message {name} is no longer frozen"
    assert (await admin.thaw(name, "root")).text == f"Message {name} is not frozen"
    assert (await admin.show(name)).id == name
    assert (await admin.remove(name, "root")).text == f"Message {name} has been removed"
    assert (await admin.remove(name, "root")).text.startswith(f"Spool data file for {name} does not exist\n")
    assert f"{name} removed by root" in w.journal.lines and f"{name} Completed" in w.journal.lines


async def test_give_up_bounces():
    w = world()
    queued = await w.accept("later@remote.example")
    await w.deliver(queued)
    await w.side.runner.give_up(queued.id, "root")
    await w.side.lane.drain()
    assert b"later@remote.example" in w.files.files["/mail/alice"][0]
    assert waiting(w) == []


async def test_force_frozen_tries_what_is_frozen():
    w = world()
    queued = await w.accept("later@remote.example")
    await w.deliver(queued)
    await w.side.admin.freeze(queued.id, "root")
    w.chain.asked.clear()
    await w.side.runner.run(QueueRun(force_frozen=True))
    assert w.chain.asked == ["later@remote.example"]
    assert f"{queued.id} Unfrozen by forced delivery" in w.journal.lines


async def test_a_slow_host_does_not_hold_up_the_lane():
    gate = asyncio.Event()

    class Slow(Scripted, driver="slow_for_tests"):
        async def deliver(self, job, services):
            await gate.wait()
            return await super().deliver(job, services)

    limits = LaneLimits(active=2, slow=10, backlog=10)
    w = World(
        lambda c: (
            assigned(c, "slow", hosts=(Host("h", ("192.0.2.1",)),))
            if c.domain == "slow.example"
            else answer(c)
        ),
        {**TRANSPORTS, "slow": Slow(name="slow")},
        settings=QueueSettings(lane=limits),
    )
    for address in ("a@slow.example", "b@slow.example", "bob@local.example"):
        w.side.lane.first_delivery(await w.accept(address))
    for _ in range(100):
        await asyncio.sleep(0)
    assert "/mail/bob" in w.files.files, "the slow ones gave up their places"
    gate.set()
    await w.side.lane.drain()
    assert not w.spool._held and not waiting(w)


async def test_a_full_waiting_room_keeps_messages_held_until_there_is_room():
    w = world()
    queued = await w.accept("later@remote.example")
    park, attempts = w.spool.park, []

    async def full_at_first(message_id):
        attempts.append(message_id)
        if len(attempts) < 3:
            raise SpoolFull("no space left")
        await park(message_id)

    w.spool.park = full_at_first
    await w.deliver(queued)
    assert waiting(w) == [queued.id] and len(attempts) == 3
    assert len(w.journal.panics) == 1


async def test_the_runner_serves_what_is_due_and_what_it_finds():
    w = world()
    found = await w.accept("bob@local.example")
    await w.spool.park(found.id)
    served = asyncio.ensure_future(w.side.runner.serve())
    for _ in range(50):
        await asyncio.sleep(0)
    assert w.files.files["/mail/bob"], "found by the walk at the start"
    due = await w.accept("bob@local.example")
    await w.spool.park(due.id)
    w.side.due.put(due.id, w.clock.now() + 5)
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(w.files.files["/mail/bob"]) == 2
    assert any(line.startswith("Start queue run: pid=") for line in w.journal.lines)
    served.cancel()
    await asyncio.gather(served, return_exceptions=True)
