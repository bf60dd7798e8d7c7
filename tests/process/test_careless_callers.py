"""Programs call `exim` with standard descriptors closed, with a umask, a directory or limits of their own: the message is taken all the same,
and none is taken for an empty one."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

CONFIG = """\
primary_hostname = mx.example
keep_environment =
spool_directory = {place}/spool
log_file_path = {place}/log/%slog
exim_user = {uid}
exim_group = {gid}
never_users =
begin routers
any:
  driver = accept
  transport = box
begin transports
box:
  driver = appendfile
  file = {place}/box
"""
PROGRAM = "import sys; from pillarbox.cli.exim import run; sys.exit(run(sys.argv[1:], 'exim'))"
LIMIT = 30.0


@pytest.mark.parametrize(
    ("arguments", "shell", "taken"),
    [
        ("-odq a@b.example", 'printf "x: y\n\n" | "$@" >&- 2>&-', True),
        ("-odq a@b.example", '"$@" <&-', False),
        ("-bS", '"$@" <&-', False),
        ("-bs", '"$@" <&-', False),
    ],
)
def test_closed_descriptors(tmp_path: Path, arguments: str, shell: str, taken: bool) -> None:
    ended = called(tmp_path, arguments, shell)
    assert b"Traceback" not in ended.stderr
    assert bool(list((tmp_path / "spool").rglob("*-H"))) is taken
    assert (ended.returncode == 0) is (taken or arguments == "-bS")


@pytest.mark.parametrize("umask", ["000", "077", "0777"])
def test_umask(tmp_path: Path, umask: str) -> None:
    ended = called(tmp_path, "-odq a@b.example", f'umask {umask}; printf "x: y\n\n" | "$@"')
    assert ended.returncode == 0, ended.stderr
    spool = tmp_path / "spool"
    kept = [path for path in spool.rglob("*") if path.suffix != ".lock" and path.name.endswith(("-H", "-D"))]
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o640} and len(kept) == 2
    assert stat.S_IMODE((spool / "input").stat().st_mode) == 0o750
    assert stat.S_IMODE((tmp_path / "log" / "mainlog").stat().st_mode) == 0o640


def test_a_directory_that_is_gone(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    ended = called(
        tmp_path, "-odq a@b.example", f'mkdir {gone}; cd {gone}; rmdir {gone}; printf "x: y\n\n" | "$@"'
    )
    assert ended.returncode == 0, ended.stderr
    assert len(list((tmp_path / "spool").rglob("*-H"))) == 1


def test_a_limit_for_the_size_of_files(tmp_path: Path) -> None:
    ended = called(tmp_path, "-odq a@b.example", 'ulimit -S -f 2; (printf "x: y\n\n"; seq 10000) | "$@"')
    assert ended.returncode == 0, ended.stderr
    [content] = (tmp_path / "spool").rglob("*-D")
    assert content.stat().st_size > 40_000


def test_too_few_descriptors_are_told(tmp_path: Path) -> None:
    ended = called(tmp_path, "-odq a@b.example", 'ulimit -n 8; printf "x: y\n\n" | "$@"')
    assert ended.returncode != 0
    assert ended.stderr.startswith(b"too few open files are allowed: `ulimit -n` says 8")


def test_few_descriptors_become_more(tmp_path: Path) -> None:
    ended = called(tmp_path, "-odq a@b.example", 'ulimit -S -n 8; printf "x: y\\n\\n" | "$@"')
    assert ended.returncode == 0, ended.stderr
    assert len(list((tmp_path / "spool").rglob("*-H"))) == 1


def called(place: Path, arguments: str, shell: str) -> subprocess.CompletedProcess[bytes]:
    """`exim` called by a shell that says `shell`, with the command as its arguments."""
    conf = place / "conf"
    conf.write_text(CONFIG.format(place=place, uid=os.getuid(), gid=os.getgid()))
    for name in ("log", "spool"):
        (place / name).mkdir()  # whoever owns the queue may work on it alone
    command = [sys.executable, "-c", PROGRAM, "-C", str(conf), *arguments.split()]
    return subprocess.run(
        ["sh", "-c", shell, "sh", *command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=LIMIT,
        check=False,
    )
