"""What `exim -be` sees of the program's surroundings: the environment that is kept, and the administrator's Python functions."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tests.process.daemon import COMMAND

pytestmark = pytest.mark.process


def _expand(folder: Path, settings: str, text: str, **environment: str) -> str:
    configuration = folder / "conf"
    configuration.write_text(f"primary_hostname = mx.example.org\n{settings}\n")
    ran = subprocess.run(
        [COMMAND.with_name("exim"), "-C", configuration, "-be", text],
        capture_output=True,
        text=True,
        timeout=60,
        env=dict(os.environ, **environment),
    )
    assert ran.stderr == ""
    return ran.stdout.removesuffix("\n")


def test_functions_of_every_named_file(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("def shout(text):\n    return text.upper()\n")
    (tmp_path / "two.py").write_text("def twice(text):\n    return text * 2\n")
    answer = _expand(
        tmp_path,
        f"python_modules = {tmp_path}/one.py : {tmp_path}/two.py",
        "${python{one.shout}{a}} ${python{two.twice}{b}}",
    )
    assert answer == "A bb"


def test_only_named_variables_are_left(tmp_path: Path) -> None:
    answer = _expand(
        tmp_path,
        "keep_environment = KEPT : ^PILL_\nadd_environment = <; SET=a:b; BARE",
        "${env{KEPT}{$value}{-}} ${env{PILL_X}{$value}{-}} ${env{OTHER}{$value}{-}} ${env{SET}{$value}{-}}",
        KEPT="1",
        PILL_X="2",
        OTHER="3",
    )
    assert answer == "1 2 - a:b"


def test_nothing_is_left_by_an_empty_list(tmp_path: Path) -> None:
    assert _expand(tmp_path, "keep_environment =", "${env{HOME}{$value}{-}}", HOME="/root") == "-"
