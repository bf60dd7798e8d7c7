"""Exim's utilities and ours on the same queue and log, which the real exim has made: what they print, and their exit codes.

Lines are compared sorted where Exim's come in the order of a hash.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.oracle.flow.commands import Side, Step

EXIM = os.environ.get("PILLARBOX_EXIM", "")
REAL = Path(__file__).parents[3] / ".cache/peers/exim-current/root/usr/sbin"
pytestmark = pytest.mark.skipif(
    not EXIM or os.geteuid() != 0 or not (REAL / "exiqgrep").exists(),
    reason="PILLARBOX_EXIM names no exim, or we are not root, or its utilities are not here",
)
MAIL = "Subject: hi\n\nbody\n"
WAITING = (
    "-odi joe@defer.example",
    "-odi -f <> joe@defer.example ann@defer.example",
    "-odq -f a@b.example fred x@y.example fred@example.com",
    "-odi nosuch",
    "-odi fred joe@defer.example",
    "-odq -f B@b.example x@Y.example",
)
SELECTIONS = (
    "", "-h", "-f b.example", "-f ^<>$", "-r defer", "-r fred -a", "-s 2", "-y 100", "-o 100", "-z", "-x", "-c", "-c -r joe", "-l -f .",
    "-i -f .", "-b -f .", "-R -i", "-R -f .", "-a", "-i", "-b", "-l", "-zx", "-bi", "-ci", "-q", "-r JOE", "-f B@B", "-r x@y",
    "-s ^2", "-bz", "-izR",
)  # fmt: skip
SUMMARIES = ("", "-a", "-c", "-b", "-f", "-s", "-x", "-abf", "-sc", "-z", "--help")
SEARCHES = (
    "joe LOG", "-v joe LOG", "-M nosuch LOG", "-l a.b LOG", "-I JOE LOG", "JOE LOG", "-t 1 joe LOG", "-t 0 fred LOG", "", "joe /nosuch",
    "-v -M fred LOG", "-x fred LOG", "--invert joe LOG", "--literal a.b LOG", "--related nosuch LOG", "--sensitive JOE LOG",
)  # fmt: skip
LOCKS = (
    "BOX true", "-q BOX true", "-fcntl BOX true",
    "-flock BOX false", "-lockfile BOX true", "-mbx BOX true", "-q -fcntl /nosuch/box true", "-x BOX",
    "-lockfile NEW exit$IFS''3", "", "-restore-times BOX true",
)  # fmt: skip


@pytest.fixture(scope="module")
def side() -> Iterator[Side]:
    with TemporaryDirectory(prefix="utilities-") as name:
        Path(name).chmod(0o755)
        made = Side(Path(name) / "real", [EXIM], EXIM)
        for words in WAITING:
            made.run(Step(words, MAIL))
        made.run(Step("-Mf {2}"))
        (Path(name) / "real" / "box").write_text("mail\n")
        yield made


def compared(side: Side, tool: str, words: list[str], typed: str = "") -> tuple[object, object]:
    """Exim's answer and ours."""
    found = []
    for program in ([str(REAL / tool)], [sys.executable, "-m", f"pillarbox.cli.tools.{tool}"]):
        ended = subprocess.run(
            [*program, *words],
            input=typed,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "TZ": "UTC"},
        )
        lines = sorted(side.plain(ended.stdout).splitlines())
        found.append((ended.returncode, lines, bool(ended.stderr)))
    return found[0], found[1]


@pytest.mark.parametrize("words", SELECTIONS)
def test_exiqgrep(side: Side, words: str) -> None:
    arguments = ["-E", EXIM, "-C", str(side.config), *words.split()]
    expected, found = compared(side, "exiqgrep", arguments)
    assert found == expected


@pytest.mark.parametrize("words", SUMMARIES)
def test_exiqsumm(side: Side, words: str) -> None:
    listing = subprocess.run(
        [EXIM, "-C", str(side.config), "-bp"], capture_output=True, text=True, check=True
    ).stdout
    expected, found = compared(side, "exiqsumm", words.split(), listing)
    assert found == expected


@pytest.mark.parametrize("words", SEARCHES)
def test_exigrep(side: Side, words: str) -> None:
    log = str(side.directory / "log" / "mainlog")
    expected, found = compared(side, "exigrep", [log if word == "LOG" else word for word in words.split()])
    assert found == expected


@pytest.mark.parametrize("words", LOCKS)
def test_exim_lock(side: Side, words: str) -> None:
    names = {"BOX": str(side.directory / "box"), "NEW": str(side.directory / "new")}
    expected, found = compared(side, "exim_lock", [names.get(word, word) for word in words.split()])
    assert found == expected
