"""Durable writes: whole or not at all, and syncs that are shared but never borrowed from the past."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest

from pillarbox.system.durable import (
    GroupSync,
    OsDisk,
    WorkThread,
    file_system_sync,
    read_file,
    remove_file,
    write_file,
)


def test_the_real_disk(tmp_path: Path) -> None:
    disk, path = OsDisk(), str(tmp_path / "file")
    write_file(disk, path, b"x" * 3_000_000)
    assert read_file(disk, path) == b"x" * 3_000_000
    write_file(disk, path, b"short")
    assert (tmp_path / "file").read_bytes() == b"short"
    fd, other = (disk.open(path, os.O_RDWR) for _ in range(2))
    disk.allocate(fd, 2_500_000)
    assert (disk.size(fd), (tmp_path / "file").read_bytes()) == (2_500_000, bytes(2_500_000))
    assert disk.lock(fd)
    assert not disk.lock(other)
    disk.close(fd)
    assert disk.lock(other)
    disk.fdatasync(other)
    disk.close(other)
    file_system_sync(disk, str(tmp_path))()
    assert remove_file(disk, path)
    assert not remove_file(disk, path)
    assert disk.names(str(tmp_path)) == []
    assert disk.names(str(tmp_path / "none")) == []


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="symbolic"):
        write_file(OsDisk(), str(tmp_path / "link"), b"x")


class CountedSync:
    """Each run waits until the test lets it end."""

    def __init__(self) -> None:
        self.runs = 0
        self.may_end = threading.Semaphore(0)
        self.error: OSError | None = None

    def __call__(self) -> None:
        self.runs += 1
        self.may_end.acquire()
        if self.error:
            raise self.error


async def test_calls_that_overlap_share_the_next_sync() -> None:
    thread, sync = WorkThread("test"), CountedSync()
    group = GroupSync(sync, thread)
    first = asyncio.create_task(group.wait())
    while not sync.runs:
        await asyncio.get_running_loop().run_in_executor(None, lambda: None)
    later = [asyncio.create_task(group.wait()) for _ in range(20)]
    await asyncio.sleep(0)
    sync.may_end.release()
    await first
    assert not any(task.done() for task in later)
    sync.may_end.release()
    await asyncio.gather(*later)
    assert sync.runs == 2
    thread.stop()


async def test_failed_sync_is_everybodys_and_the_next_one_is_new() -> None:
    thread, sync = WorkThread("test"), CountedSync()
    group = GroupSync(sync, thread)
    sync.error = OSError(5, "input/output error")
    sync.may_end.release()
    results = await asyncio.gather(*(group.wait() for _ in range(3)), return_exceptions=True)
    assert results == [sync.error] * 3
    sync.error = None
    sync.may_end.release()
    await group.wait()
    thread.stop()
