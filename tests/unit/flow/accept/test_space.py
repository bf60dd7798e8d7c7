"""Room that must be left for mail to be taken in."""

from __future__ import annotations

import os

import pytest

from pillarbox.flow.accept.space import DiskSpace, Place, remembering


def space(
    free: int, inodes: int, *places: Place, counts_size: bool = True, has_inodes: bool = True
) -> DiskSpace:
    total = 10**9 if has_inodes else 0
    found = os.statvfs_result((4096, 1024, 10**9, free // 1024, free // 1024, total, inodes, inodes, 0, 255))
    return DiskSpace(places=places, counts_size=counts_size, ask=lambda _: found)


SPOOL = Place("spool", "/spool", 10 << 20, 100)
LOG = Place("log", "/log", 20 << 20, 0)


@pytest.mark.parametrize(
    ("free", "inodes", "size", "said"),
    [
        (30 << 20, 1000, 0, ""),
        (5 << 20, 1000, 0, "spool directory space check failed: space=5120 inodes=1000"),
        (15 << 20, 1000, 0, "log directory space check failed: space=15360 inodes=1000"),
        (30 << 20, 99, 0, "spool directory space check failed: space=30720 inodes=99"),
        (30 << 20, 1000, 19 << 20, ""),
        (30 << 20, 1000, 20 << 20, "spool directory space check failed: space=30720 inodes=1000"),
    ],
)
def test_what_is_short(free: int, inodes: int, size: int, said: str) -> None:
    assert space(free, inodes, SPOOL, LOG).shortage(size) == said


def test_sizes_need_not_count_and_file_systems_need_not_count_inodes() -> None:
    assert space(30 << 20, 1000, SPOOL, counts_size=False).shortage(1 << 30) == ""
    assert space(30 << 20, 0, SPOOL, has_inodes=False).shortage() == ""


def test_a_directory_that_cannot_be_asked_holds_nothing_up() -> None:
    assert DiskSpace(places=(Place("spool", "/nonexistent/anywhere", 1, 1),)).shortage() == ""


def test_the_file_system_is_asked_ten_times_a_second_at_most() -> None:
    now, asked = [0.0], []
    usual = space(30 << 20, 1000).ask

    def ask(directory: str) -> os.statvfs_result:
        asked.append(directory)
        return usual(directory)

    answer = remembering(ask, lambda: now[0])
    for at, directory in ((0.0, "/spool"), (0.05, "/spool"), (0.05, "/log"), (0.2, "/spool")):
        now[0] = at
        answer(directory)
    assert asked == ["/spool", "/log", "/spool"]
