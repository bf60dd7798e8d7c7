"""Sieve (RFC 5228) by `exim -bf -v`, ours and the real one's: what is said, what is decided and what is compared.

`make test` takes one in so many of the scripts; PILLARBOX_LONG=1 all of them.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tests.oracle import sieving

from pillarbox.language.sieve.registry import announced

pytestmark = pytest.mark.oracle

_COMPATIBILITY = Path(__file__).parents[2] / "docs" / "exim-compatibility.md"
_MADE_UP = 4_000
_IS_LONG = bool(os.environ.get("PILLARBOX_LONG"))


def test_scripts_of_the_files(exim: str, tmp_path: Path) -> None:
    sieving.prepare(tmp_path)
    found = []
    for script in [*sieving.scripts()][:: 1 if _IS_LONG else 5]:
        mine, their = sieving.ours(script, tmp_path), sieving.theirs(exim, script, tmp_path)
        if mine != their and not script.explanation:
            found.append(f"{script.place}\n{script.text}\n  ours:   {mine}\n  theirs: {their}")
        elif mine == their and script.explanation:
            found.append(f"{script.place}: both say {mine}, but a difference is explained")
    assert not found, f"{len(found)} differences\n" + "\n".join(found)


def test_scripts_that_are_made_up(exim: str, tmp_path: Path) -> None:
    sieving.prepare(tmp_path)
    found = []
    for seed in range(0, _MADE_UP, 1 if _IS_LONG else 80):
        script = sieving.Author(seed).script()
        mine = sieving.in_short(sieving.ours(script, tmp_path))
        their = sieving.in_short(sieving.theirs(exim, script, tmp_path))
        if mine != their:
            found.append(f"{seed}\n{script.text}\n  ours:   {mine}\n  theirs: {their}")
    assert not found, f"{len(found)} differences\n" + "\n".join(found)


def test_announces_what_exim_does(exim: str, tmp_path: Path) -> None:
    sieving.prepare(tmp_path)
    command = [exim, "-C", str(tmp_path / "exim.conf"), "-bI:sieve"]
    answer = subprocess.run(command, capture_output=True, timeout=30, check=False, text=True)
    assert announced() == answer.stdout.split()


def test_explanations_are_written_down() -> None:
    known = _COMPATIBILITY.read_text("utf-8")
    for script in sieving.scripts():
        assert not script.explanation or f"## {script.explanation}\n" in known, script.place
