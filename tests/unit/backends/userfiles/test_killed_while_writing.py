"""A desk killed in the middle of a mailbox file: the next attempt finds what is there, and makes it whole."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from pillarbox.backends.userfiles.single_file import append
from pillarbox.mail.message import MemoryBody
from pillarbox.ports.userfiles import FileRules, FileWork, Locking

PROOF = b"Received: by x with id 1\n"
TEXT = b"From a@b Mon Nov 23 00:00:00 2026\n" + PROOF + b"Subject: s\n\n" + b"line\n" * 3000 + b"\n"
OLD = b"From x Mon Jan  1 00:00:00 2001\n\nold\n\n"


def work(path: Path, *, is_repeat: bool = True, kind: str = "mbox") -> FileWork:
    rules = FileRules(locking=Locking(with_lockfile=False), checks_owner=False)
    return FileWork(kind=kind, path=str(path), rules=rules, proof=PROOF, is_repeat=is_repeat)  # type: ignore[arg-type]


@pytest.mark.parametrize("there", [60, 100, 4096, len(TEXT) - 1])
def test_a_part_is_replaced_by_the_whole(tmp_path: Path, there: int) -> None:
    box = tmp_path / "box"
    box.write_bytes(OLD + TEXT[:there])
    box.chmod(0o600)
    append(work(box), MemoryBody(TEXT))
    assert box.read_bytes() == OLD + TEXT


def test_the_whole_stays_as_it_is_also_behind_others(tmp_path: Path) -> None:
    box = tmp_path / "box"
    box.write_bytes(OLD + TEXT + OLD)
    box.chmod(0o600)
    append(work(box), MemoryBody(TEXT))
    assert box.read_bytes() == OLD + TEXT + OLD


def test_what_a_reader_has_changed_since_is_there(tmp_path: Path) -> None:
    box = tmp_path / "box"
    changed = OLD + TEXT.replace(b"Subject: s\n", b"Subject: s\nStatus: RO\n") + OLD
    box.write_bytes(changed)
    box.chmod(0o600)
    append(work(box), MemoryBody(TEXT))
    assert box.read_bytes() == changed


def test_behind_a_scrap_the_next_message_begins_a_line(tmp_path: Path) -> None:
    box = tmp_path / "box"
    box.write_bytes(OLD + TEXT[:20])
    box.chmod(0o600)
    append(work(box), MemoryBody(TEXT))
    assert box.read_bytes() == OLD + TEXT[:20] + b"\n\n" + TEXT


def test_in_mbx_too(tmp_path: Path) -> None:
    box = tmp_path / "box"
    append(work(box, is_repeat=False, kind="mbx"), MemoryBody(TEXT))
    whole = box.read_bytes()
    box.write_bytes(whole[:-100])
    append(work(box, kind="mbx"), MemoryBody(TEXT))
    assert len(box.read_bytes()) == len(whole)
    assert box.read_bytes()[-len(TEXT) :] == TEXT


def shared(path: Path, there: bytes, head: bytes) -> FileWork:
    """For a mailbox of several addresses, with this in it."""
    path.write_bytes(there)
    path.chmod(0o600)
    return msgspec.structs.replace(work(path), is_shared=True, head=head)


@pytest.mark.parametrize(
    ("there", "head", "ours"),
    [
        (
            TEXT,
            b"From x\nEnvelope-to: me\n",
            TEXT.replace(b"Subject: s\n", b"Subject: s\nX-To: me\n"),
        ),
        (b"From x\nEnvelope-to: you\n" + TEXT, b"From x\nEnvelope-to: me\n", TEXT),
        (b"From x\nEnvelope-to: you\n" + TEXT, b"From x\n", b"Envelope-to: me\n" + TEXT),
    ],
)
def test_the_copy_of_another_address_is_not_ours(
    tmp_path: Path, there: bytes, head: bytes, ours: bytes
) -> None:
    box = tmp_path / "box"
    job = shared(box, there, head)
    for _ in range(2):
        append(job, MemoryBody(ours))
        assert box.read_bytes() == there + head + ours


def test_an_equal_copy_that_nothing_tells_from_anothers_is_written_again(tmp_path: Path) -> None:
    """Without Envelope-to two addresses' copies are the same: rather twice than not at all. What was cut off is made whole all the same."""
    box = tmp_path / "box"
    there = b"From x\n" + TEXT
    job = shared(box, there, b"From x\n")
    append(job, MemoryBody(TEXT))
    assert box.read_bytes() == there + there
    box.write_bytes(there + there[:-50])
    append(job, MemoryBody(TEXT))
    assert box.read_bytes() == there + there
