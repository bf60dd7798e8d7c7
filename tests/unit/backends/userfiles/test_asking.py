"""Whether a mailbox has room, asked without a message."""

from __future__ import annotations

from pathlib import Path

import pytest

from pillarbox.backends.userfiles.delivering import deliver_file
from pillarbox.mail.message import MemoryBody
from pillarbox.ports.userfiles import FileKind, FileRules, FileWork, NotWritten, Quota, Written


def ask(kind: FileKind, path: Path, quota: Quota | None, size: int = 0) -> str:
    work = FileWork(
        kind=kind, path=str(path), rules=FileRules(), quota=quota, message_size=size, is_question=True
    )
    result, device = deliver_file(work, MemoryBody(b""))
    assert device == 0
    assert isinstance(result, Written | NotWritten)
    return "room" if isinstance(result, Written) else result.error


@pytest.mark.parametrize(
    ("limit", "size", "answer"), [(10, 0, "room"), (9, 0, "quota"), (10, 1, "quota"), (0, 99, "room")]
)
def test_a_file(tmp_path: Path, limit: int, size: int, answer: str) -> None:
    box = tmp_path / "box"
    box.write_bytes(b"0123456789")
    assert ask("mbox", box, Quota(size=limit), size) == answer
    assert box.read_bytes() == b"0123456789"


def test_nothing_is_made(tmp_path: Path) -> None:
    assert ask("mbox", tmp_path / "none", Quota(size=5), 5) == "room"
    assert ask("mbox", tmp_path / "none", Quota(size=5), 6) == "quota"
    assert ask("maildir", tmp_path / "dir", Quota(size=5), 6) == "quota"
    assert ask("mbox", tmp_path / "none", None, 6) == "room"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["maildir", "single", "mailstore"])
def test_a_directory(tmp_path: Path, kind: FileKind) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "1").write_bytes(b"0123456789")
    assert ask(kind, tmp_path, Quota(size=20), 10) == "room"
    assert ask(kind, tmp_path, Quota(size=19), 10) == "quota"
    assert ask(kind, tmp_path, Quota(size=99, files=2)) == "quota"
