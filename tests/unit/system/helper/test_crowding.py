"""Who stops the processes that serve his mail takes no place of others."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from pillarbox.system.helper.crowding import make_room


@pytest.fixture
def stopped() -> Iterator[list[int]]:
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            os.kill(os.getpid(), signal.SIGSTOP)
            os._exit(0)
        os.waitpid(child, os.WUNTRACED)
        children.append(child)
    yield children
    for child in children:
        try:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        except (ProcessLookupError, ChildProcessError):
            pass


def test_the_oldest_of_a_crowd_go(stopped: list[int]) -> None:
    make_room([1 << 30, *stopped], most=2)
    for child in stopped[:2]:
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert [os.waitpid(child, os.WNOHANG) for child in stopped[2:]] == [(0, 0), (0, 0)]


def test_few_stay(stopped: list[int]) -> None:
    make_room(stopped, most=4)
    assert [os.waitpid(child, os.WNOHANG) for child in stopped] == [(0, 0)] * 4
