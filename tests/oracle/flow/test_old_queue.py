"""A message that Exim before 4.97 has left in the queue, with its shorter id: it is listed, shown, changed and delivered as by the real one."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from tests.oracle.flow.commands import ours
from tests.oracle.flow.levelling import AGES, PIDS, TIMES, level
from tests.oracle.real_exim import MISSING, find_exim

EXIM = find_exim() or ""
pytestmark = pytest.mark.skipif(not EXIM or os.geteuid() != 0, reason=f"{MISSING}; and root")
ID = "1abcde-000001-Ab"
CONFIG = """\
keep_environment =
primary_hostname = mx.example
exim_user = root
exim_group = root
spool_directory = {dir}/spool
log_file_path = {dir}/log/%slog
never_users =
begin routers
all:
  driver = accept
  transport = box
begin transports
box:
  driver = appendfile
  file = {dir}/box
  user = mail
"""
HEADER = f"""\
{ID}-H
root 0 0
<x@y.example>
1792000000 0
-received_time_usec .123
-ident root
-received_protocol local
-body_linecount 1
-max_received_linelength 10
-deliver_firsttime
-local
XX
1
a@b.example

012P Received: x
011  Subject: x
"""
STEPS = (("-bp",), ("-Mvh", ID), ("-Mar", ID, "z@b.example"), ("-odi", "-M", ID), ("-bpc",))
LIMIT = 40.0


def test_as_the_real_one() -> None:
    assert _seen(ours()) == _seen([EXIM])


def _seen(program: list[str]) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="old-queue-") as name:
        place = Path(name)
        place.chmod(0o777)
        waiting = place / "spool" / "input"
        waiting.mkdir(parents=True)
        (place / "log").mkdir()
        (place / "conf").write_text(CONFIG.format(dir=place))
        box = place / "box"
        box.touch()
        shutil.chown(box, "mail", "mail")
        (waiting / f"{ID}-H").write_text(HEADER)
        (waiting / f"{ID}-D").write_text(f"{ID}-D\nhello\n")
        told = [_told([*program, "-C", str(place / "conf"), *step]) for step in STEPS]
        return [*told, level((place / "log" / "mainlog").read_text(), *TIMES, PIDS), str(os.listdir(waiting))]


def _told(command: list[str]) -> str:
    ended = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
        env={"PATH": "/usr/bin:/bin", "TZ": "UTC", "LC_ALL": "C"},
    )
    return level(f"{ended.returncode}\n{ended.stdout}{ended.stderr}", AGES)
