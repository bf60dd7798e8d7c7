"""What failed before is tried again by one of the messages that wait for it, and by all that never failed at once."""

import asyncio

import msgspec
from tests.support.delivery_world import QueueSettings, World, assigned

from pillarbox.flow.queue.runner import QueueRun, RunnerLimits
from pillarbox.flow.transport.outcomes import deferred, delivered
from pillarbox.flow.transport.transport import Transport
from pillarbox.mail.reply import Reason


class Slow(Transport, driver="dawdling_for_tests"):
    """Lets others run, and then says what it is told to."""

    works = False
    at_once = 0
    most = 0
    tried = 0

    async def deliver(self, job, services):
        Slow.tried += 1
        Slow.at_once += 1
        Slow.most = max(Slow.most, Slow.at_once)
        for _ in range(20):
            await asyncio.sleep(0)
        Slow.at_once -= 1
        [one] = job.assignments
        key = self.retry_key_of(one)
        if Slow.works:
            return [delivered(one)]
        return [deferred(one, Reason("mailbox is full"), error="quota", retry_keys=(key,))]


def world() -> World:
    Slow.works, Slow.most, Slow.tried = False, 0, 0
    transports = {"slow": Slow(name="slow")}
    settings = msgspec.structs.replace(QueueSettings(), runner=RunnerLimits(parallel=20))
    return World(lambda c: assigned(c, "slow"), transports, retry="* * F,4d,15m", settings=settings)


async def three(w: World) -> None:
    for _ in range(3):
        await w.deliver(await w.accept("bob@local.example"))
    w.clock.jump(1000)
    Slow.most, Slow.tried = 0, 0


async def test_the_first_finds_it_failing_and_the_others_leave_it_alone():
    w = world()
    await three(w)
    await w.side.runner.run(QueueRun(is_by_hand=True))
    assert (Slow.most, Slow.tried) == (1, 1)
    skipped = [line for line in w.journal.lines if line.endswith("Retry time not yet reached")]
    assert len(skipped) == 2


async def test_the_first_finds_it_mended_and_all_go():
    w = world()
    await three(w)
    Slow.works = True
    await w.side.runner.run(QueueRun(is_by_hand=True))
    assert Slow.tried == 3
    assert list(w.spool.waiting()) == []


async def test_by_force_each_tries():
    w = world()
    await three(w)
    await w.side.runner.run(QueueRun(is_by_hand=True, force=True))
    assert (Slow.most, Slow.tried) == (3, 3)


async def test_what_never_failed_waits_for_nobody():
    w = world()
    for _ in range(3):
        await w.deliver(await w.accept("bob@local.example"))
    w.hints.forget_retry("T:bob@local.example")
    w.clock.jump(1000)
    Slow.most, Slow.tried = 0, 0
    await w.side.runner.run(QueueRun(is_by_hand=True))
    assert (Slow.most, Slow.tried) == (3, 3)
