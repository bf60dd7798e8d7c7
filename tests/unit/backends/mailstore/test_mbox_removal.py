"""A kill or a power cut at any step of taking messages out of an mbox: nothing is lost, and nothing comes back in pieces."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pillarbox.backends.mailstore.mbox import access, removal
from pillarbox.backends.mailstore.mbox.scan import Snapshot, scan
from pillarbox.ports.mailplace import MailPlace

DATE = b"Mon Nov 23 03:53:00 2026"


def message(number: int, size: int = 120) -> bytes:
    return b"From a@b %b\nSubject: %d\n\n" % (DATE, number) + b"line %d\n" % number * (size // 8) + b"\n"


class Killed(BaseException):
    pass


class Disk:
    """The module's `os`: dies before, or in the middle of, the step of that number; knows what a power cut would leave."""

    def __init__(self, root: Path, box: Path) -> None:
        self.root = root
        self.box = box
        self.steps = 0
        self.dies_at = -1
        self.content: dict[int, bytes] = {box.stat().st_ino: box.read_bytes()}
        self.names: dict[str, int] = {}

    def __getattr__(self, name: str) -> object:
        return getattr(os, name)

    def step(self) -> bool:
        self.steps += 1
        return self.steps == self.dies_at

    def pwrite(self, descriptor: int, data: bytes, position: int) -> int:
        if self.step():
            os.pwrite(descriptor, bytes(data)[: len(data) // 2], position)
            raise Killed
        return os.pwrite(descriptor, data, position)

    def ftruncate(self, descriptor: int, size: int) -> None:
        if self.step():
            raise Killed
        os.ftruncate(descriptor, size)

    def fsync(self, descriptor: int) -> None:
        if self.step():
            raise Killed
        size = os.fstat(descriptor).st_size
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        self.content[os.fstat(descriptor).st_ino] = Path(path).read_bytes()[:size]

    def rename(self, old: str, new: str) -> None:
        if self.step():
            raise Killed
        os.rename(old, new)

    def unlink(self, path: str) -> None:
        if self.step():
            raise Killed
        os.unlink(path)

    def sync_directory(self, path: str) -> None:
        if self.step():
            raise Killed
        self.names = {each.name: each.stat().st_ino for each in self.root.iterdir()}

    def cut_power(self, *, is_torn: bool) -> None:
        """What was not synced is gone; torn: every other block of it."""
        durable, written = self.content[self.box.stat().st_ino], self.box.read_bytes()
        written += durable[len(written) :]
        blocks = (
            (written if is_torn and at % 128 else durable)[at : at + 64] for at in range(0, len(durable), 64)
        )
        with open(self.box, "r+b") as file:
            file.truncate()
            file.write(b"".join(blocks))
        found = {name: self.content.get(inode, b"") for name, inode in self.names.items()}
        for each in self.root.iterdir():
            each.unlink()
        for name, data in found.items():
            (self.root / name).write_bytes(data)


@pytest.fixture
def place(tmp_path: Path) -> MailPlace:
    (tmp_path / "root").mkdir()
    return MailPlace(str(tmp_path / "root"), str(tmp_path / "box"))


@pytest.fixture
def disk(place: MailPlace, monkeypatch: pytest.MonkeyPatch) -> Disk:
    Path(place.inbox).touch()
    disk = Disk(Path(place.root), Path(place.inbox))
    monkeypatch.setattr(removal, "os", disk)
    monkeypatch.setattr(removal, "sync_directory", disk.sync_directory)
    monkeypatch.setattr(removal, "PIECE", 150)
    return disk


WHOLE = [message(number) for number in range(6)]
GOING = {1, 3}
LATER = message(99, 2000)


def fill(disk: Disk) -> None:
    disk.box.write_bytes(b"".join(WHOLE))
    disk.content = {disk.box.stat().st_ino: b"".join(WHOLE)}
    disk.names = {}
    for each in disk.root.iterdir():
        each.unlink()


def remove(place: MailPlace) -> None:
    with access.changing(place) as descriptor:
        assert descriptor is not None
        seen = scan(descriptor, Snapshot())
        parts = [
            (span.start, seen.end_of(n)) for n, span in enumerate(seen.spans) if n > 1 and n not in GOING
        ]
        removal.remove(place.root, descriptor, seen.spans[1].start, parts)


def finish(place: MailPlace) -> None:
    with access.changing(place):
        pass


def dies(disk: Disk, step: int, place: MailPlace, *, is_finishing: bool) -> bool:
    """False: it came to its end before that step."""
    disk.steps, disk.dies_at = 0, step
    try:
        finish(place) if is_finishing else remove(place)
    except Killed:
        return True
    finally:
        disk.dies_at = -1
    return False


def outcomes(tail: bytes) -> set[bytes]:
    kept = b"".join(each for number, each in enumerate(WHOLE) if number not in GOING)
    return {b"".join(WHOLE) + tail, kept + tail}


def numbers() -> Iterator[int]:
    return iter(range(1, 100))


@pytest.mark.parametrize("what", ["kill", "power", "torn"])
@pytest.mark.parametrize("later", [b"", LATER, message(7, 8)])
def test_at_every_step(place: MailPlace, disk: Disk, later: bytes, what: str) -> None:
    for step in numbers():
        fill(disk)
        if not dies(disk, step, place, is_finishing=False):
            assert step > 10
            break
        if what != "kill":
            disk.cut_power(is_torn=what == "torn")
        with open(disk.box, "ab") as file:
            file.write(later)
        finish(place)
        assert disk.box.read_bytes() in outcomes(later), step
        assert not list(disk.root.glob("*journal")), step
        assert not list(disk.root.glob("*rescued*")), step


def test_killed_again_while_it_is_finished(
    place: MailPlace, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "PIECE", 1000)
    for step in numbers():
        for second in numbers():
            fill(disk)
            if not dies(disk, step, place, is_finishing=False):
                return
            with open(disk.box, "ab") as file:
                file.write(LATER)
            if not dies(disk, second, place, is_finishing=True):
                break
            with open(disk.box, "ab") as file:
                file.write(WHOLE[0])
            finish(place)
            assert disk.box.read_bytes() in outcomes(LATER + WHOLE[0]), (step, second)


def test_what_was_to_stay_is_put_aside_when_another_has_rewritten_the_file(
    place: MailPlace, disk: Disk
) -> None:
    fill(disk)
    assert dies(disk, 12, place, is_finishing=False)
    assert removal.is_unfinished(place.root)
    disk.box.write_bytes(WHOLE[5] * 8)
    finish(place)
    assert disk.box.read_bytes() == WHOLE[5] * 8
    (rescued,) = disk.root.glob("pillarbox.mbox.rescued.*")
    assert rescued.read_bytes() == WHOLE[2] + WHOLE[4] + WHOLE[5]


def test_what_came_after_another_has_shortened_the_file_is_not_cut(place: MailPlace, disk: Disk) -> None:
    """Killed before the cut; then mutt takes out what it sees twice, and something is delivered."""
    for step in numbers():
        fill(disk)
        assert dies(disk, step, place, is_finishing=False), "there is a cut"
        journal = disk.root / removal.FILE
        if journal.exists() and journal.read_bytes()[:1] == b"2" and disk.box.stat().st_size == disk_size():
            break
    data = disk.box.read_bytes()
    with open(disk.box, "r+b") as file:
        file.truncate(len(data) - len(WHOLE[5]))
        file.seek(0, os.SEEK_END)
        file.write(message(8, 8))
    assert disk.box.stat().st_size < disk_size()
    finish(place)
    assert disk.box.read_bytes().endswith(message(8, 8))


def disk_size() -> int:
    return sum(map(len, WHOLE))


def test_a_fifo_in_the_place_of_the_journal_keeps_nobody_waiting(place: MailPlace, disk: Disk) -> None:
    fill(disk)
    os.mkfifo(disk.root / f"{removal.FILE}.new")
    with pytest.raises(OSError):
        remove(place)
    assert disk.box.read_bytes() == b"".join(WHOLE)
    assert not Path(f"{place.inbox}.lock").exists()


def test_a_full_disk_changes_nothing(place: MailPlace, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(disk)

    def refuse(descriptor: int, data: bytes, position: int) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(disk, "pwrite", refuse)
    with pytest.raises(OSError, match="full"):
        remove(place)
    assert disk.box.read_bytes() == b"".join(WHOLE)
    assert not list(disk.root.iterdir())
