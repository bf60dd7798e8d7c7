"""`exim -brw` and `-brt`, ours and the real one's: the same words for every rule of `rules/`.

In `rewrite.txt` and `retry.txt` a line `%% ARGUMENTS` (as in a shell) begins a case, the rules follow it; several argument lines ask the same
rules. Behind ` ! ` stands why a difference is meant: an id that docs/exim-compatibility.md explains. A configuration error must be one for
both, in the same words; so must what goes to the log, each complaint once.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.oracle.in_process import answered

pytestmark = pytest.mark.oracle

_RULES = Path(__file__).parent / "rules"
_COMPATIBILITY = Path(__file__).parents[2] / "docs" / "exim-compatibility.md"
_HEAD = """\
primary_hostname = mail.example.org
qualify_recipient = rcpt.example
spool_directory = {folder}/spool
log_file_path = {folder}/spool/log/%slog
domainlist mine = own.example : *.own.example
addresslist friends = a@friend : *@friends.example
begin {section}
"""
_STAMP = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (?:Exim configuration error in line \d+ of \S+:)?")
_NOISE = (
    "exim: could not open panic log",
    "Cannot open main log file",
    "no @ found in the subject of an address list",
)


class Case(NamedTuple):
    arguments: list[str]
    rules: str
    explanation: str


def cases(name: str, folder: Path) -> Iterator[Case]:
    text = (_RULES / f"{name}.txt").read_text("utf-8").replace("@DIR@", str(folder))
    for part in re.split(r"^(?=%% )", text, flags=re.MULTILINE)[1:]:
        _pending.append(part.partition("\n")[0][3:])
        rules = part.partition("\n")[2].rstrip("\n")
        if not rules:
            continue
        for asked in _pending:
            arguments, _, explanation = asked.partition(" ! ")
            yield Case(shlex.split(arguments), rules, explanation)
        _pending.clear()


_pending: list[str] = []


def theirs(exim: str, command: list[str]) -> tuple[str, list[str], int]:
    answer = subprocess.run([exim, *command], capture_output=True, timeout=30, check=False)
    return answer.stdout.decode("utf-8", "surrogateescape"), _log(answer.stderr.decode()), answer.returncode


def ours(command: list[str]) -> tuple[str, list[str], int]:
    said, errors, code = answered(command)
    return said, _log(errors), code


def _log(text: str) -> list[str]:
    found = []
    for line in text.split("\n"):
        plain = _STAMP.sub("", line).strip()
        if plain and plain not in found and not plain.startswith(_NOISE):
            found.append(plain)
    return found


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """One that the mail user may read: Exim is no longer root when it looks things up."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.mark.parametrize(
    ("name", "section", "mode"), [("rewrite", "rewrite", "-brw"), ("retry", "retry", "-brt")]
)
def test_says_what_exim_says(exim: str, name: str, section: str, mode: str, tmp_path: Path) -> None:
    (tmp_path / "spool" / "log").mkdir(parents=True)
    for folder in (tmp_path, tmp_path / "spool", tmp_path / "spool" / "log"):
        folder.chmod(0o777)
    (tmp_path / "keys").write_text("n: x\nu@v: found@x\nb.c: y\n*.wild: w\n")
    configuration = tmp_path / "exim.conf"
    found = []
    for case in cases(name, tmp_path):
        configuration.write_text(_HEAD.format(folder=tmp_path, section=section) + case.rules + "\n")
        configuration.chmod(0o644)
        sender = case.arguments[:2] if case.arguments[:1] == ["-f"] else []
        command = ["-C", str(configuration), *sender, mode, *case.arguments[len(sender) :]]
        mine, their = ours(command), theirs(exim, command)
        where = f"{name}: {case.arguments}\n{case.rules}"
        if mine != their and not case.explanation:
            found.append(f"{where}\n  ours:   {mine}\n  theirs: {their}")
        elif mine == their and case.explanation:
            found.append(f"{where}\n  both say {mine}, but a difference is explained")
    assert not found, f"{len(found)} differences\n" + "\n".join(found)


@pytest.mark.parametrize("name", ["rewrite", "retry"])
def test_explanations_are_written_down(name: str, tmp_path: Path) -> None:
    known = _COMPATIBILITY.read_text("utf-8") if _COMPATIBILITY.exists() else ""
    for case in cases(name, tmp_path):
        assert not case.explanation or f"## {case.explanation}\n" in known, case
