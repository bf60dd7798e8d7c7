"""The keep: how many connections, who gets them, when they end."""

import asyncio

import pytest
from tests.support.clock import JumpClock

from pillarbox.flow.transport.keep import ConnectionKeep, Crowded, KeepLimits


class Fake:
    def __init__(self) -> None:
        self.has_quit = False
        self.is_closed = False

    async def quit(self) -> None:
        self.has_quit = True

    def close(self) -> None:
        self.is_closed = True


def keep_with(**limits) -> ConnectionKeep:
    return ConnectionKeep(JumpClock(), KeepLimits(**limits))


async def test_the_last_used_comes_back_first():
    keep = keep_with()
    one, two = Fake(), Fake()
    assert await keep.take("a") is None
    assert await keep.take("a") is None
    await keep.give("a", one)
    await keep.give("a", two)
    assert await keep.take("a") is two
    assert await keep.take("b") is None
    keep.close()
    assert one.is_closed and not two.is_closed


async def test_messages_wait_in_order_for_a_place():
    keep = keep_with(per_destination=1, waiting=2)
    assert await keep.take("a") is None
    first, second = asyncio.ensure_future(keep.take("a")), asyncio.ensure_future(keep.take("a"))
    await asyncio.sleep(0)
    with pytest.raises(Crowded):
        await keep.take("a")
    assert await keep.take("other") is None
    session = Fake()
    await keep.give("a", session)
    assert await first is session
    assert not second.done()
    keep.drop("a")
    assert await second is None, "a lost connection frees its place for a new one"
    keep.drop("a")
    keep.drop("other")
    assert not keep._destinations


async def test_a_cancelled_waiter_does_not_lose_the_place():
    keep = keep_with(per_destination=1)
    await keep.take("a")
    waiter = asyncio.ensure_future(keep.take("a"))
    await asyncio.sleep(0)
    waiter.cancel()
    await asyncio.sleep(0)
    session = Fake()
    await keep.give("a", session)
    assert await keep.take("a") is session


async def test_idle_connections_end():
    keep = keep_with(idle=5.0)
    await keep.take("a")
    session = Fake()
    await keep.give("a", session)
    for _ in range(20):
        await asyncio.sleep(0)
    assert session.has_quit and len(keep) == 0 and not keep._destinations


async def test_idle_in_all_is_bounded():
    keep = keep_with(idle_in_all=1)
    one, two = Fake(), Fake()
    await keep.take("a")
    await keep.take("b")
    await keep.give("a", one)
    await keep.give("b", two)
    assert two.has_quit and len(keep) == 1
    keep.close()


async def test_one_finds_out_whether_a_host_answers():
    """A dead host with ten thousand messages is asked once, not once by each."""
    keep = keep_with(per_destination=3)
    assert await keep.take("a", is_careful=True) is None
    others = [asyncio.ensure_future(keep.take("a", is_careful=True)) for _ in range(4)]
    await asyncio.sleep(0)
    assert not any(one.done() for one in others)
    keep.note_answer("a")
    await asyncio.sleep(0)
    assert [one.done() for one in others] == [True, True, False, False], "as many as may be open"
    keep.drop("a")
    keep.drop("a")
    await asyncio.sleep(0)
    assert all(one.done() for one in others)


async def test_who_waited_for_a_dead_host_is_told_one_after_the_other():
    keep = keep_with()
    await keep.take("a", is_careful=True)
    others = [asyncio.ensure_future(keep.take("a", is_careful=True)) for _ in range(2)]
    await asyncio.sleep(0)
    keep.note_silence("a")
    keep.drop("a")
    await asyncio.sleep(0)
    assert [one.done() for one in others] == [True, False]
    keep.drop("a")
    assert await others[1] is None
    keep.drop("a")
    assert not keep._destinations


async def test_an_answer_does_not_open_what_must_be_one():
    keep = keep_with()
    await keep.take("a", is_serial=True, is_careful=True)
    other = asyncio.ensure_future(keep.take("a", is_serial=True, is_careful=True))
    await asyncio.sleep(0)
    keep.note_answer("a")
    await asyncio.sleep(0)
    assert not other.done()
    other.cancel()
