"""Exim's utilities on small queues and logs."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from pillarbox.cli.tools import exicyclog, exigrep, exinext, exiqsumm, exiwhat

LOG = """\
2026-11-22 22:00:01 1xVFxI-0000000036t-2jsj <= alice@a.example H=h [1.2.3.4] P=esmtp S=300
2026-11-22 22:00:02 1xVFxI-0000000036u-2jsj <= bob@a.example U=bob P=local S=301
2026-11-22 22:00:03 1xVFxI-0000000036t-2jsj ** joe@x.example: failed
2026-11-22 22:00:03 1xVFxI-0000000036v-2jsj <= <> R=1xVFxI-0000000036t-2jsj U=mail P=local S=1000
2026-11-22 22:00:04 1xVFxI-0000000036t-2jsj Completed
2026-11-22 22:00:05 1xVFxI-0000000036v-2jsj Completed
2026-11-22 22:06:00 H=foo rejected RCPT <joe@y.example>: no
2026-11-22 22:06:01 1xVFxI-0000000036w-2jsj == joe@z.example defer
"""
LISTING = """\
 4h  1.5K 1xVFx8-000000002it-0Ziy <a@b.example> *** frozen ***
          x@d.example
        D y@e.example

26h    10 1xVFx8-000000002iu-0Ziy <>
          z@d.example

"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "mainlog"
    path.write_text(LOG)
    return path


def grep(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert exigrep.run(list(arguments)) == 0
    return capsys.readouterr().out.split("\n\n")[:-1]


def test_exigrep_gives_whole_messages(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, rejected, waiting = grep(capsys, "JOE", str(log))
    assert [line.split()[3] for line in first.splitlines()] == ["<=", "**", "Completed"]
    assert rejected.endswith("<joe@y.example>: no")
    assert waiting.startswith("+++ 1xVFxI-0000000036w-2jsj has not completed +++\n")


def test_exigrep_options(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert grep(capsys, "-I", "JOE", str(log)) == []
    assert len(grep(capsys, "-M", "joe@x", str(log))) == 2
    assert grep(capsys, "-l", "joe@[xyz]", str(log)) == []
    assert len(grep(capsys, "-t", "2", "alice", str(log))) == 1
    assert grep(capsys, "-t", "3", "alice", str(log)) == []


def summed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> list[list[str]]:
    monkeypatch.setattr("sys.stdin", io.StringIO(LISTING))
    assert exiqsumm.run(list(arguments)) == 0
    return [line.split() for line in capsys.readouterr().out.splitlines()[4:] if line and "---" not in line]


def test_exiqsumm_adds_up(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert summed(monkeypatch, capsys) == [
        ["2", "1546", "26h", "4h", "d.example"],
        ["2", "1546", "26h", "4h", "TOTAL"],
    ]
    split = summed(monkeypatch, capsys, "-b", "-f", "-s")
    assert [" ".join(line[4:]) for line in split[:2]] == ["<> > d.example (b)", "b.example > d.example (f)"]


def test_exicyclog_shifts_and_drops(log: Path) -> None:
    for number in range(4):
        log.write_text(f"{number}\n")
        exicyclog.cycle(log, 2)
    assert sorted(path.name for path in log.parent.iterdir()) == ["mainlog", "mainlog.01", "mainlog.02.gz"]
    assert (log.parent / "mainlog.01").read_text() == "3\n"


@pytest.mark.parametrize("tool", [exinext, exiwhat])
def test_unknown_options_are_told(tool: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.run(["-frobnicate", "-Q"]) == 1
    told = capsys.readouterr().err
    assert told.endswith(": unknown, malformed, or incomplete option -Q\n")


def test_exigrep_reads_packed_logs_as_far_as_they_go(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packed = log.with_suffix(".gz")
    packed.write_bytes(gzip.compress(log.read_bytes()))
    assert exigrep.run(["joe@z", str(packed)]) == 0
    assert "joe@z.example defer" in capsys.readouterr().out
    packed.write_bytes(packed.read_bytes()[:-8])
    assert exigrep.run(["joe@z", str(packed)]) == 0
    told = capsys.readouterr()
    assert "joe@z.example defer" in told.out
    assert told.err.startswith(f"{packed}: Compressed file ended")


@pytest.mark.parametrize("is_read", [True, False])
def test_any_bytes_go_to_whoever_still_reads(log: Path, *, is_read: bool) -> None:
    log.write_bytes(b"2026-11-22 22:00:06 1xVFxI-0000000036w-2jsj == j\xff@z.example defer\n")
    reading, writing = os.pipe()
    if not is_read:
        os.close(reading)
    command = [sys.executable, "-m", "pillarbox.cli.tools.exigrep", "defer", str(log)]
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "POSIX", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, env=environment, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")
    if is_read:
        assert b" == j\xff@z.example defer\n" in os.read(reading, 4096)
        os.close(reading)
