"""Bytes that are no UTF-8 come out as they went in, under any locale."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = Path(sys.executable).parent
STRICT = {**os.environ, "PYTHONIOENCODING": "ascii:strict"}


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (["exim", "-be", "$qualify_domain"], b"\xff\xe9\n"),
        (["exim", "-bP", "config"], b"qualify_domain = \xff\xe9\n"),
        (["pillarbox", "config", "check"], b"no problems found"),
    ],
)
def test_answers_hold_any_bytes(command: list[str], shown: bytes, tmp_path: Path) -> None:
    file = tmp_path / "exim.conf"
    file.write_bytes(b"primary_hostname = mail.example.org\nqualify_domain = \xff\xe9\n")
    program, *words = command
    order = ["-C", str(file), *words] if program == "exim" else [*words, str(file)]
    done = subprocess.run([PROGRAMS / program, *order], capture_output=True, check=False, env=STRICT)
    assert done.stderr == b""
    assert shown in done.stdout


def test_typed_lines_hold_any_bytes(tmp_path: Path) -> None:
    file = tmp_path / "exim.conf"
    file.write_bytes(b"primary_hostname = mail.example.org\n")
    done = subprocess.run(
        [PROGRAMS / "exim", "-C", file, "-be"],
        input=b"${uc:a\xff}\n",
        capture_output=True,
        check=False,
        env=STRICT,
    )
    assert done.stdout == b"> A\xff\n> \n"
