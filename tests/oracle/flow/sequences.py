"""Whole sequences beside the real Exim's: small configurations with several commands, dialogues and queue runs each, topic by topic.

A file sequences/*.txt is as one of situations.py, with one thing more: what stands in front of its first `===` is the end of
the configuration of every sequence that has no `begin` of its own, and behind a line `---` the script of those that have none.
Ours is run as harnesses for Exim run it (EXIM_TEST_HARNESS).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.oracle.flow import situations
from tests.oracle.flow.levelling import Leveller, level
from tests.oracle.flow.situations import Situation

FOLDER = Path(__file__).parent / "sequences"


def read(path: Path) -> Iterator[Situation]:
    common, _, script = path.read_text().partition("=== ")[0].partition("---\n")
    for one in situations.read(path):
        has_own = "\nbegin " in f"\n{one.configuration}"
        configuration = one.configuration if has_own else one.configuration + common
        yield one._replace(configuration=configuration, script=one.script or script)


def sequences(folder: Path = FOLDER) -> dict[str, Situation]:
    return {one.name: one for path in sorted(folder.glob("*.txt")) for one in read(path)}


def by(exim: str, real: str, top: Path, sequence: Situation) -> list[str]:
    """What is seen, as `situations.by` has it."""
    seen = "\n".join(situations.by(exim, real, top, sequence, is_harness=True))
    front, world, rest = seen.partition("\nworld\n")
    return (level(front, *_EXPLAINED) + world + level(rest, *_EXPLAINED, *_OF_LOGS)).rstrip("\n").split("\n")


_BROKEN = r"^TIME Exim configuration error.*\n  .*\n"
_EXPLAINED = (
    Leveller(re.compile(r"^LOG: PANIC(?: DIE)?\n  (?=Exim configuration error)", re.MULTILINE), "TIME "),
    Leveller(re.compile(r"^Status: (\d)\.\d+\.\d+$", re.MULTILINE), r"Status: \1"),
    Leveller(re.compile(r"(?m)^-body_linecount .*\n"), ""),
)
"""`broken-configurations` and `bounce-status` of docs/exim-compatibility.md; what counts the lines of both."""
_OF_LOGS = (
    Leveller(re.compile(_BROKEN, re.MULTILINE), ""),
    Leveller(re.compile(r"^TIME Exim configuration error.*\n  .*\Z", re.MULTILINE), ""),
    Leveller(re.compile(r"^log paniclog\n?(?=log |file |heard |\Z)", re.MULTILINE), ""),
)
"""Broken configurations are not told in the panic log."""
