"""`config check`: every problem at once, in the order of the file, and its exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from pillarbox.app.checking import check_configuration

ROUTERS = """\
begin acl
rcpt:
  deny acl = nowhere
begin routers
aliases:
  driver = redirect
  data = ${lookup{$local_part}lsearch{/etc/aliases}}
  file_transport = nope
local:
  driver = accept
  transport = gone
begin transports
smtp:
  driver = smtp
"""


def _check(path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    path.write_text(text)
    code = check_configuration(path, is_strict=False)
    errors = capsys.readouterr().err
    return code, [line.removeprefix(f"{path}:") for line in errors.splitlines() if line[:1] != " "]


def test_what_is_named_but_not_there_is_a_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, lines = _check(tmp_path / "conf", ROUTERS, capsys)
    assert (code, lines) == (
        1,
        [
            "3: there is no ACL 'nowhere'",
            "8: there is no transport 'nope'",
            "11: there is no transport 'gone'",
            " 3 problems: it cannot be used",
        ],
    )


def test_it_is_told_beside_what_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = ROUTERS.replace("  driver = accept\n", "  driver = accept\n  domins = x\n")
    code, lines = _check(tmp_path / "conf", text, capsys)
    assert code == 1
    assert lines == [
        "8: there is no transport 'nope'",
        '11: option "domins" unknown',
        "12: there is no transport 'gone'",
        " 3 problems: it cannot be used",
    ]
