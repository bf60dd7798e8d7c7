"""Repeats that follow one another for the same mailbox find what is there, whatever was remembered of it."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from pillarbox.backends.userfiles import searched, single_file
from pillarbox.backends.userfiles.delivering import deliver_file
from pillarbox.backends.userfiles.searched import SearchedFiles
from pillarbox.mail.message import MemoryBody
from pillarbox.ports.userfiles import FileRules, FileWork, Written

SIZE = 1 << 20


@pytest.fixture(autouse=True)
def memory(monkeypatch: pytest.MonkeyPatch) -> SearchedFiles:
    fresh = SearchedFiles()
    monkeypatch.setattr(single_file, "_searched", fresh)
    return fresh


def message(number: int) -> tuple[bytes, bytes]:
    """(its Received: field, all of it)."""
    proof = b"Received: from a by b\n\tid 1xVc6e-%011d-14HO;\n\tnow\n" % number
    return proof, b"From x\n" + proof + b"\nbody %d\n\n" % number


def deliver(box: Path, number: int) -> None:
    proof, text = message(number)
    work = FileWork(
        kind="mbox",
        path=str(box),
        rules=FileRules(),
        proof=proof,
        unique=f"id{number}",
        host="h",
        received_at=7.0,
        message_size=len(text),
        is_repeat=True,
    )
    assert isinstance(deliver_file(work, MemoryBody(text))[0], Written)


def held(box: Path) -> list[int]:
    return [int(line[5:]) for line in box.read_bytes().split(b"\n") if line.startswith(b"body ")]


def test_each_is_written_once_however_often_it_comes(tmp_path: Path) -> None:
    box = tmp_path / "box"
    for number in (1, 2, 3, 1, 2, 3, 4, 4, 1):
        deliver(box, number)
    assert held(box) == [1, 2, 3, 4]


def test_what_somebody_else_has_appended_is_seen(tmp_path: Path) -> None:
    box = tmp_path / "box"
    for number in range(4):
        deliver(box, number)
    with box.open("ab") as file:
        file.write(message(9)[1])
    deliver(box, 9)
    deliver(box, 5)
    assert held(box) == [0, 1, 2, 3, 9, 5]


@pytest.mark.parametrize("left", [[0, 3], [3, 2, 1, 0, 7, 8, 9], []])
def test_a_file_that_a_reader_has_rewritten_is_read_anew(tmp_path: Path, left: list[int]) -> None:
    """In place, so that it is the same inode, shorter or longer than it was."""
    box = tmp_path / "box"
    for number in range(4):
        deliver(box, number)
    inode = box.stat().st_ino
    with box.open("r+b") as file:
        file.truncate(0)
        file.write(b"".join(message(number)[1] for number in left))
    assert box.stat().st_ino == inode
    for number in (3, 8):
        deliver(box, number)
    assert sorted(held(box)) == sorted({*left, 3, 8})


def test_what_a_kill_has_cut_off_is_taken_away(tmp_path: Path) -> None:
    box = tmp_path / "box"
    for number in range(4):
        deliver(box, number)
    with box.open("ab") as file:
        file.write(message(9)[1][:-8])
    deliver(box, 9)
    assert held(box) == [0, 1, 2, 3, 9]


def test_a_proof_without_an_id_is_always_sought(tmp_path: Path, memory: SearchedFiles) -> None:
    box = tmp_path / "box"
    box.write_bytes(b"nothing\n")
    descriptor = os.open(box, os.O_RDONLY)
    try:
        status = os.fstat(descriptor)
        assert [memory.may_hold(descriptor, status, b"Subject: x\n", 0) for _ in range(3)] == [True] * 3
        proof = message(1)[0]
        assert [memory.may_hold(descriptor, status, proof, 0) for _ in range(3)] == [True, False, False]
    finally:
        os.close(descriptor)


def test_more_ids_than_are_remembered(
    tmp_path: Path, memory: SearchedFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every search is a whole one then, until the file is smaller."""
    monkeypatch.setattr(searched, "_MOST_IDS", 5)
    box = tmp_path / "box"
    for number in (*range(9), 3, 8, 0):
        deliver(box, number)
    assert held(box) == list(range(9))
    with box.open("rb") as file:
        assert memory.may_hold(file.fileno(), os.fstat(file.fileno()), message(99)[0], 0)
    box.write_bytes(b"".join(message(number)[1] for number in range(3)))
    with box.open("rb") as file:
        assert not memory.may_hold(file.fileno(), os.fstat(file.fileno()), message(99)[0], 0)


def test_of_a_large_file_only_what_is_new_is_read(tmp_path: Path, memory: SearchedFiles) -> None:
    """Told by an id that somebody puts in front of what was read, which the memory cannot know."""
    box = tmp_path / "box"
    box.write_bytes(b"x" * SIZE)
    with box.open("r+b") as file:
        for number in (1, 2):
            memory.may_hold(file.fileno(), os.fstat(file.fileno()), message(number)[0], 0)
        file.write(message(3)[0])
        file.seek(0, os.SEEK_END)
        file.write(message(4)[0])
        file.flush()
        status = os.fstat(file.fileno())
        found = [memory.may_hold(file.fileno(), status, message(number)[0], 0) for number in (3, 4)]
    assert found == [False, True]


def test_a_maildir_in_which_nothing_is_new_is_not_looked_through(tmp_path: Path) -> None:
    work = FileWork(
        kind="maildir",
        path=str(tmp_path / "m"),
        rules=FileRules(),
        unique="id-abc",
        host="h",
        received_at=2e9,
        message_size=3,
    )
    assert isinstance(deliver_file(work, MemoryBody(b"a\n\n"))[0], Written)
    again = msgspec.structs.replace(work, is_repeat=True)
    os.utime(tmp_path / "m" / "new", (2e9, 2e9))
    deliver_file(again, MemoryBody(b"a\n\n"))
    assert len(list((tmp_path / "m" / "new").iterdir())) == 1
    [written] = (tmp_path / "m" / "new").iterdir()
    written.rename(tmp_path / "m" / "cur" / f"{written.name}:2,S")
    os.utime(tmp_path / "m" / "cur", (2e9 + 1, 2e9 + 1))
    deliver_file(again, MemoryBody(b"a\n\n"))
    assert list((tmp_path / "m" / "new").iterdir()) == []
    for part in ("new", "cur"):
        os.utime(tmp_path / "m" / part, (2e9 - 3600, 2e9 - 3600))
    deliver_file(again, MemoryBody(b"a\n\n"))
    assert len(list((tmp_path / "m" / "new").iterdir())) == 1
