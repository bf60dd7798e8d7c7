"""Every option of the command line, as command_matrix.py calls it, by the real exim and by ours."""

from __future__ import annotations

import os
import queue
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.oracle.flow.command_matrix import CALLERS, Bench, Call, Seen, at_the_bench, command_lines
from tests.oracle.flow.world import may_mount
from tests.oracle.real_exim import MISSING, find_exim

EXIM = find_exim() or ""
pytestmark = pytest.mark.skipif(
    not EXIM or os.geteuid() != 0 or not may_mount(), reason=f"{MISSING}; root, and mounts of its own"
)
Both = tuple[Seen, Seen]

OTHERWISE = {
    "--help": "our list of options is on standard output",
    "--version": "printed-configuration",
    "-bV": "printed-configuration",
    "-bV x": "printed-configuration, and Exim takes a message besides",
    "-bP router gone": "printed-configuration",
    "-bP transport boxes": "printed-configuration",
    "-bP macros X": "printed-configuration",
    "-bS": "an unknown command is an error",
    "-bS x": "an unknown command is an error",
    "-C relative -bP qualify_domain": "lost-privilege",
    "-C /nosuch -bP qualify_domain": "lost-privilege",
    "-C /nosuch:/etc/exim4/exim4.conf -bP qualify_domain": "lost-privilege",
    "-C /etc/exim4/exim4.conf -bP qualify_domain": "lost-privilege",
    "-C /etc/exim4/exim4.conf -bp": "lost-privilege",
    "-DX": "lost-privilege",
    "-DX=1 -bP macro X": "lost-privilege",
    "-DX=1 -bp": "lost-privilege",
    "-dp": "internal-options",
    "-dS": "internal-options",
    "-dt=": "internal-options",
    "-Mset {9} -be $sender_address": "lost-privilege",
    "-MC": "internal-options",
    "-MCA": "internal-options",
    "-bp -bt": "several-modes",
    "-t -bp": "several-modes",
    "-bP -q": "several-modes",
    **{f"-M{each} {{9}}": "caller-first" for each in ("f", "mad", "rm", "t")},
    "-Mar {9} new@defer.example": "caller-first",
    "-atrn h.example d.example": "internal-options",
}
"""Headings of docs/exim-compatibility.md, or why."""
UNEXPLAINED = {
    "-oP": "that somebody else may not is said before that the file is missing",
}
EXPECTED = {**OTHERWISE, **UNEXPLAINED}


@pytest.fixture(scope="module")
def ask() -> Iterator[Callable[[Call], Both]]:
    """Both programs, in one world for all calls."""
    calls: queue.Queue[Call | None] = queue.Queue()
    answers: queue.Queue[Both | BaseException] = queue.Queue()

    def work(bench: Bench) -> None:
        while (call := calls.get()) is not None:
            answers.put((bench.see(call, is_ours=False), bench.see(call, is_ours=True)))

    def live(directory: Path) -> None:
        try:
            at_the_bench(EXIM, directory, work)
        except BaseException as error:
            answers.put(error)

    def asked(call: Call) -> Both:
        calls.put(call)
        answer = answers.get(timeout=600)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    with tempfile.TemporaryDirectory(prefix="matrix-") as name:
        world = threading.Thread(target=live, args=(Path(name),), daemon=True)
        world.start()
        yield asked
        calls.put(None)
        world.join(30)


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(words, marks=pytest.mark.xfail(reason=EXPECTED[words]) if words in EXPECTED else ())
        for words in command_lines()
    ],
)
def test_answers_as_exim_does(words: str, ask: Callable[[Call], Both]) -> None:
    calls = [Call(words, caller, has_message) for caller in CALLERS for has_message in (True, False)]
    seen = {call.name: ask(call) for call in calls}
    assert {name: each[1] for name, each in seen.items()} == {name: each[0] for name, each in seen.items()}
