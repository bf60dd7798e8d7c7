"""Writing into mailboxes: repeats, quotas, troubles, locks."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import msgspec
import pytest

from pillarbox.backends.userfiles.delivering import deliver_file
from pillarbox.backends.userfiles.maildirsize import parse
from pillarbox.mail.message import MemoryBody
from pillarbox.ports.userfiles import (
    FileBusy,
    FileKind,
    FileRules,
    FileWork,
    Locking,
    NotWritten,
    Quota,
    Written,
)

BODY = MemoryBody(b"From x\nRECEIVED id 1\n\nbody\n")
PROOF = b"RECEIVED id 1\n"


def work(path: Path, kind: FileKind = "mbox", **more: object) -> FileWork:
    facts = {"proof": PROOF, "unique": "id-abc", "host": "h", "received_at": 7.0, "message_size": 28}
    return FileWork(kind=kind, path=str(path), rules=FileRules(), **(facts | more))  # type: ignore[arg-type]


def files_below(path: Path) -> list[str]:
    return sorted(str(each.relative_to(path)) for each in path.rglob("*") if each.is_file())


def test_a_repeat_does_not_append_twice(tmp_path: Path) -> None:
    box = tmp_path / "box"
    first, _ = deliver_file(work(box), BODY)
    again, device = deliver_file(work(box, is_repeat=True), BODY)
    assert isinstance(first, Written) and isinstance(again, Written)
    assert box.read_bytes() == BODY.data
    assert device == box.stat().st_dev  # a sync is still owed
    other, _ = deliver_file(work(box, is_repeat=True, proof=b"RECEIVED id 2\n"), BODY)
    assert isinstance(other, Written) and box.read_bytes() == BODY.data * 2


@pytest.mark.parametrize("kind", ["maildir", "mailstore"])
def test_a_repeat_finds_its_own_files(tmp_path: Path, kind: FileKind) -> None:
    for is_repeat in (False, True, True):
        result, _ = deliver_file(work(tmp_path / "box", kind, is_repeat=is_repeat), BODY)
        assert isinstance(result, Written)
    assert len(files_below(tmp_path / "box")) == (1 if kind == "maildir" else 2)


@pytest.mark.parametrize("kind", ["maildir", "mailstore", "single"])
def test_what_a_crash_left_is_overwritten(tmp_path: Path, kind: FileKind) -> None:
    box = tmp_path / "box"
    deliver_file(work(box, kind), BODY)
    for path in [each for each in box.rglob("*") if each.is_file()]:
        path.unlink()
    left = {"maildir": "tmp/7.id-abc.h", "mailstore": "id-abc.tmp", "single": "temp.id-abc"}[kind]
    (box / left).write_bytes(b"half a mes")
    result, _ = deliver_file(work(box, kind, is_repeat=True), BODY)
    assert isinstance(result, Written)
    assert not any(each.read_bytes() == b"half a mes" for each in box.rglob("*") if each.is_file())


def test_a_held_lock_is_answered_at_once(tmp_path: Path) -> None:
    box = tmp_path / "box"
    deliver_file(work(box), BODY)
    with open(box, "ab") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        rules = FileRules(locking=Locking(with_lockfile=False, with_fcntl=False, with_flock=True))
        result, device = deliver_file(msgspec.structs.replace(work(box), rules=rules), BODY)
        assert isinstance(result, FileBusy) and (result.by, device) == ("flock", 0)
    (tmp_path / "box.lock").touch()
    result, _ = deliver_file(work(box), BODY)
    assert isinstance(result, FileBusy) and result.by == "lock file"
    assert files_below(tmp_path) == ["box", "box.lock"]  # no hitching post stays


def test_trouble_in_the_middle_puts_the_file_back(tmp_path: Path) -> None:
    class Broken:
        size, lines = 28, 4

        def chunks(self):  # type: ignore[no-untyped-def]
            yield b"x" * 2_000_000
            raise OSError(28, "No space left on device")

    box = tmp_path / "box"
    deliver_file(work(box), BODY)
    os.utime(box, (1, 1))
    result, _ = deliver_file(work(box), Broken())
    assert isinstance(result, NotWritten) and result.error == "disk_full"
    assert box.read_bytes() == BODY.data and box.stat().st_mtime == 1
    result, _ = deliver_file(work(tmp_path / "dir", "maildir"), Broken())
    assert isinstance(result, NotWritten) and files_below(tmp_path / "dir") == []


def test_quota_counts_what_is_there(tmp_path: Path) -> None:
    box = tmp_path / "box"
    quota = Quota(size=60)
    for expected in (Written, Written, NotWritten):
        result, _ = deliver_file(work(box, "maildir", unique=os.urandom(4).hex(), quota=quota), BODY)
        assert isinstance(result, expected)
    assert isinstance(result, NotWritten) and result.error == "quota"
    assert len(files_below(box)) == 2


def test_maildirsize_is_kept_and_made_anew(tmp_path: Path) -> None:
    box = tmp_path / "box"
    quota = Quota(size=1000, keeps_size_file=True)
    deliver_file(work(box, "maildir", unique="a", quota=quota), BODY)
    deliver_file(work(box, "maildir", unique="b", quota=quota), BODY)
    size = len(BODY.data)
    assert (box / "maildirsize").read_text() == f"1000S,0C\n0 0\n{size} 1\n{size} 1\n"
    deliver_file(work(box, "maildir", unique="c", quota=Quota(size=2000, keeps_size_file=True)), BODY)
    assert (box / "maildirsize").read_text() == f"2000S,0C\n{2 * size} 2\n{size} 1\n"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"10S\n5 1\n", (5, 1, 1)),
        (b"10S,3C\n5 1\n", None),
        (b"10S,0C\n5 1\n-2 -1\n", (3, 0, 2)),
        (b"10S\n-5 1\n", None),
        (b"10S\nx\n", None),
        (b"11S\n5 1\n", None),
        (b"", None),
        (b"10S\n" + b"1 1\n" * 2000, None),
    ],
)
def test_what_maildirsize_says(data: bytes, expected: object) -> None:
    assert parse(data, Quota(size=10)) == expected


def test_relative_names_are_refused() -> None:
    result, _ = deliver_file(work(Path("box")), BODY)
    assert isinstance(result, NotWritten) and not Path("box").exists()


def test_a_repeated_renaming_finds_the_file_under_its_name(tmp_path: Path) -> None:
    box = tmp_path / "box"
    deliver_file(work(box, "single"), BODY)
    for is_repeat in (False, True):
        result, device = deliver_file(work(box, "rename", name="q1", is_repeat=is_repeat), BODY)
        assert isinstance(result, Written) and result.path == str(box / "q1")
        assert device == box.stat().st_dev
    assert files_below(box) == ["q1"]
