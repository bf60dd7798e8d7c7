"""Programs call `exim` with standard descriptors closed: the message is taken all the same, and none is taken for an empty one."""

from __future__ import annotations

import os
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
    conf = tmp_path / "conf"
    conf.write_text(CONFIG.format(place=tmp_path, uid=os.getuid(), gid=os.getgid()))
    for name in ("log", "spool"):
        (tmp_path / name).mkdir()  # whoever owns the queue may work on it alone
    command = [sys.executable, "-c", PROGRAM, "-C", str(conf), *arguments.split()]
    ended = subprocess.run(
        ["sh", "-c", shell, "sh", *command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=LIMIT,
        check=False,
    )
    assert b"Traceback" not in ended.stderr
    assert bool(list((tmp_path / "spool").rglob("*-H"))) is taken
    assert (ended.returncode == 0) is (taken or arguments == "-bS")
