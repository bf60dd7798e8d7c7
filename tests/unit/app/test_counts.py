"""Limits hold over all workers."""

from __future__ import annotations

from pillarbox.app.counts import SharedCounts
from pillarbox.app.serving import Limits


def test_two_workers_share_the_places() -> None:
    shared = SharedCounts(2)
    first, second = (Limits(shared.row(slot), 3, 2) for slot in (0, 1))
    assert first.take("192.0.2.1") and second.take("192.0.2.1")
    assert not first.take("192.0.2.1") and not second.take("192.0.2.1")
    assert second.take("192.0.2.2")
    assert not first.take("192.0.2.3")
    second.give_back("192.0.2.1")
    assert first.take("192.0.2.1")


def test_a_successor_gives_back_what_a_dead_worker_held() -> None:
    shared = SharedCounts(2)
    alive, dead = (Limits(shared.row(slot), 2, 0) for slot in (0, 1))
    assert alive.take("192.0.2.1") and dead.take("192.0.2.1")
    assert not alive.take("192.0.2.1")
    Limits(shared.row(1), 2, 0)
    assert alive.take("192.0.2.1")
    assert not alive.take("192.0.2.1")


def test_no_limit() -> None:
    limits = Limits(SharedCounts(1).row(0), 0, 0)
    assert all(limits.take("192.0.2.1") for _ in range(1000))


def test_a_figure_for_one_client() -> None:
    limits = Limits(SharedCounts(1).row(0), 0, 0)
    assert limits.take("192.0.2.1", 1) and not limits.take("192.0.2.1", 1)
    assert limits.take("192.0.2.1", 0) and limits.take("192.0.2.2", 1)


def test_who_is_being_asked_about_has_a_place() -> None:
    limits = Limits(SharedCounts(1).row(0), 2, 0)
    limits.waiting = 1
    assert limits.take("192.0.2.1") and limits.are_all_taken
    limits.waiting = 0
    assert limits.take("192.0.2.1")
