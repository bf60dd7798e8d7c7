"""A desk whose asker is gone writes nothing more: another worker has taken the message over by then, and writes it itself."""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pillarbox.backends.userfiles.delivering import deliver_file
from pillarbox.mail.message import Body, MemoryBody
from pillarbox.ports.localwork import Actor
from pillarbox.ports.userfiles import FileKind, FileResult, FileRules, FileWork
from pillarbox.system.helper.desk import Desk, IsWanted
from pillarbox.system.helper.requests import Deliver, frame_of

ACTOR = Actor(1000, 1000)


class Anybody:
    """Ourselves, whoever is asked for."""

    def become(self, actor: Actor) -> None:
        """Nothing changes."""


def request(path: Path, text: str, kind: FileKind) -> bytes:
    work = FileWork(kind=kind, path=str(path), rules=FileRules(), unique=text, host="h", received_at=7.0)
    return frame_of(Deliver(work, ACTOR, f"From x\n\n{text}\n".encode()))


def no_logins(login: str, password: str, service: str) -> bool:
    return False


def desk(deliver: Any) -> Desk:
    return Desk(Anybody(), deliver, no_logins)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["mbox", "maildir"])
def test_requests_left_by_a_killed_worker_are_not_carried_out(tmp_path: Path, kind: FileKind) -> None:
    ours, theirs = socket.socketpair()
    with theirs, suppress(BrokenPipeError):  # nobody hears the answers
        ours.sendall(request(tmp_path / "box", "one", kind) + request(tmp_path / "box", "two", kind))
        ours.close()
        desk(deliver_file).serve(theirs)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size]


def test_is_asked_again_when_the_lock_is_held(tmp_path: Path) -> None:
    """The worker dies between the request and the lock: the one that comes after it waits for that lock."""
    ours, theirs = socket.socketpair()

    def deliver(work: FileWork, body: Body, is_wanted: IsWanted) -> tuple[FileResult, int]:
        def is_wanted_still() -> bool:
            answer = is_wanted()
            ours.close()
            return answer

        return deliver_file(work, body, is_wanted_still)

    with theirs, suppress(BrokenPipeError):
        ours.sendall(request(tmp_path / "box", "one", "mbox"))
        desk(deliver).serve(theirs)
    assert (tmp_path / "box").read_bytes() == b""


def test_is_wanted_as_a_rule(tmp_path: Path) -> None:
    deliver_file(FileWork(kind="mbox", path=str(tmp_path / "box"), rules=FileRules()), MemoryBody(b"x\n"))
    assert (tmp_path / "box").read_bytes() == b"x\n"
