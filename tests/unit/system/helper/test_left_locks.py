"""A desk that is killed behind its writing leaves the lock file: who is told to wait for it looks for the message then."""

from __future__ import annotations

from typing import Any

from pillarbox.mail.message import MemoryBody
from pillarbox.ports.localwork import Actor
from pillarbox.ports.userfiles import FileBusy, FileRules, FileWork
from pillarbox.system.helper.channel import GONE, HelperGone
from pillarbox.system.helper.requests import Answer, FileAnswer
from pillarbox.system.helper.work import HelperWork

BUSY = FileBusy("failed to lock mailbox /box (lock file)", "lock file")


async def test_a_lock_found_after_a_kill_is_not_waited_for_as_if_nothing_was() -> None:
    answers: list[Answer | None] = [None, FileAnswer(BUSY, 0)]

    class Killed(HelperWork):
        async def _deliver(self, *request: Any) -> Answer:
            answer = answers.pop(0)
            if answer is None:
                raise HelperGone(GONE)
            return answer

    work = FileWork(kind="mbox", path="/box", rules=FileRules())
    found = await Killed(None).deliver(work, MemoryBody(b"x\n"), Actor(1, 1))  # type: ignore[arg-type]
    assert isinstance(found, FileBusy)
    assert found.is_repeat


async def test_a_lock_of_others_is_no_repeat() -> None:
    class Locked(HelperWork):
        async def _deliver(self, *request: Any) -> Answer:
            return FileAnswer(BUSY, 0)

    work = FileWork(kind="mbox", path="/box", rules=FileRules())
    assert await Locked(None).deliver(work, MemoryBody(b"x\n"), Actor(1, 1)) == BUSY  # type: ignore[arg-type]
