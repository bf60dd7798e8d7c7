"""A walk through a long queue leaves the worker to those who send mail."""

from __future__ import annotations

from pillarbox.flow.queue.pace import LONG_QUEUE, LONGEST, SHORTEST, STRIDE, Pace


class Clock:
    """Remembers the rests; `work` passes time."""

    def __init__(self) -> None:
        self.time = 0.0
        self.rests: list[float] = []

    def now(self) -> float:
        raise AssertionError("wall time may jump")

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds
        self.rests.append(seconds)


async def rests(
    connections: int, seconds_each: float, messages: int = LONG_QUEUE + 5 * STRIDE
) -> list[float]:
    clock = Clock()
    pace = Pace(clock)
    pace.connections = lambda: connections
    steps = pace.steps()
    for _ in range(messages):
        await steps.step()
        clock.time += seconds_each
    return clock.rests


async def test_a_short_queue_is_walked_through_without_a_rest():
    assert await rests(connections=10, seconds_each=1.0, messages=LONG_QUEUE) == []


async def test_rests_shortly_while_nobody_sends_mail():
    assert await rests(connections=0, seconds_each=0.004) == [SHORTEST] * 5


async def test_rests_four_times_as_long_as_it_works_while_somebody_does():
    assert [round(each, 6) for each in await rests(connections=1, seconds_each=0.002)] == [0.08] * 5


async def test_never_rests_for_long_nor_not_at_all():
    assert await rests(connections=1, seconds_each=3.0) == [LONGEST] * 5
    assert await rests(connections=1, seconds_each=0.0) == [SHORTEST] * 5
