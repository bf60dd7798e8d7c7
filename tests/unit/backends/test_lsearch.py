"""lsearch files: syntax, caching, failures."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.support.clock import JumpClock

from pillarbox.backends.lookups.driver import LookupWorld
from pillarbox.backends.lookups.lsearch import Lsearch, parse_lines
from pillarbox.backends.lookups.registry import LookupTypes
from pillarbox.ports.lookups import LookupDefer


def test_syntax() -> None:
    text = '# c\nRoot: joe@x\n"a b" : v\nlong: one,\n  two\n\t three\n\nbare\nspaced value\nroot: second\n  lost\n"q\\"t":w'
    assert parse_lines(text) == {
        "root": "joe@x",
        "a b": "v",
        "long": "one, two three",
        "bare": "",
        "spaced": "value",
        'q"t': "w",
    }


async def test_is_read_once_and_again_when_changed(tmp_path: Path) -> None:
    clock = JumpClock()
    lookup = Lsearch(clock)
    path = tmp_path / "aliases"
    path.write_text("a: 1\n")
    with pytest.raises(BlockingIOError):
        lookup.find_now("a", str(path))
    assert await lookup.find("A", str(path)) == "1"
    assert lookup.find_now("a", str(path)) == "1"
    path.write_text("a: 2\n")
    os.utime(path, (5, 5))
    assert lookup.find_now("a", str(path)) == "1"
    clock.jump(2)
    with pytest.raises(BlockingIOError):
        lookup.find_now("a", str(path))
    assert await lookup.find("a", str(path)) == "2"
    assert await lookup.find("nosuch", str(path)) is None


async def test_failures_defer(tmp_path: Path) -> None:
    lookup = Lsearch(JumpClock())
    with pytest.raises(LookupDefer, match="No such file"):
        await lookup.find("a", str(tmp_path / "none"))
    with pytest.raises(LookupDefer, match="absolute"):
        await lookup.find("a", "relative")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(LookupDefer, match="not a regular file"):
        await lookup.find("a", str(tmp_path / "pipe"))


async def test_a_file_that_vanishes_defers(tmp_path: Path) -> None:
    clock = JumpClock()
    lookup = Lsearch(clock)
    path = tmp_path / "aliases"
    path.write_text("a: 1\n")
    await lookup.find("a", str(path))
    path.unlink()
    clock.jump(2)
    with pytest.raises(LookupDefer):
        await lookup.find("a", str(path))


def test_dsearch(tmp_path: Path) -> None:
    (tmp_path / "joe").touch()
    lookup = LookupTypes(LookupWorld(JumpClock())).get("dsearch")
    assert lookup is not None
    assert lookup.find_now("joe", str(tmp_path)) == "joe"
    assert lookup.find_now("sue", str(tmp_path)) is None
    assert lookup.find_now("../joe", str(tmp_path)) is None
    assert lookup.find_now("..", str(tmp_path)) is None
    with pytest.raises(LookupDefer):
        lookup.find_now("joe", str(tmp_path / "none"))
