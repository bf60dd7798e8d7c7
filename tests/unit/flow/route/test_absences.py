"""What users do not have in their homes is asked for again when the home has changed."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from pillarbox.flow.route import absences
from pillarbox.flow.route.looks import Companions, Looks
from pillarbox.ports.localwork import Actor, FoundFile, NoLocalWork
from pillarbox.system.helper.desk import look_for

ACTOR, OTHER = Actor(1000, 1000), Actor(1001, 1001)


class Asked(NoLocalWork):
    acts_as_users = True

    def __init__(self) -> None:
        self.count = 0

    async def look_at_all(self, paths: Sequence[str], actor: Actor | None = None) -> Sequence[FoundFile]:
        self.count += 1
        return [look_for(path) for path in paths]


class World:
    def __init__(self) -> None:
        self.work, self.companions = Asked(), Companions()

    async def error_of(self, path: Path, actor: Actor = ACTOR) -> int:
        """As one message after another asks."""
        looks = Looks(self.companions)
        found = looks.known(str(path), actor)
        if found is None:
            now = path.parent.stat().st_ctime + absences.SETTLED + 1
            found = await looks.look(str(path), actor, self.work, now)
        return found.error


async def test_is_asked_once_until_the_directory_changes(tmp_path: Path) -> None:
    world, path = World(), tmp_path / ".forward"
    assert [await world.error_of(path) for _ in range(3)] == [errno.ENOENT] * 3
    assert world.work.count == 1
    assert await world.error_of(path, OTHER) == errno.ENOENT
    assert await world.error_of(tmp_path / ".filter") == errno.ENOENT
    assert world.work.count == 3
    assert await world.error_of(path) == await world.error_of(tmp_path / ".filter") == errno.ENOENT
    assert world.work.count == 3
    path.touch()
    os.utime(tmp_path, (7, 7))  # whatever a clock of few ticks says
    assert await world.error_of(path) == 0
    assert await world.error_of(path) == 0
    assert world.work.count == 5, "what is there is looked at every time"


async def test_a_link_that_leads_nowhere_may_lead_somewhere_tomorrow(tmp_path: Path) -> None:
    world, path = World(), tmp_path / ".forward"
    path.symlink_to("shared/forward")
    assert await world.error_of(path) == errno.ENOENT
    assert await world.error_of(path) == errno.ENOENT
    assert world.work.count == 2


async def test_what_has_just_changed_is_not_remembered(tmp_path: Path) -> None:
    work, companions = Asked(), Companions()
    for _ in range(2):
        looks = Looks(companions)
        assert looks.known(str(tmp_path / "x"), ACTOR) is None
        await looks.look(str(tmp_path / "x"), ACTOR, work, tmp_path.stat().st_ctime + 1)


def test_holds_so_many_directories(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(absences, "_MOST", 2)
    known = absences.Absences()
    for directory in "abc":
        known.keep(directory, ["x"], ACTOR, (1, 1, 1, 1), 100.0)
    assert [known.knows(directory, ACTOR) for directory in "abc"] == [False, False, True]
    assert known.holds("c", "x", ACTOR, (1, 1, 1, 1))
    assert not known.holds("c", "x", ACTOR, (1, 1, 2, 1))
    assert not known.holds("c", "y", ACTOR, (1, 1, 1, 1))
