"""The retry records as `exim_fixdb` changes them: Exim's error numbers for the names that are kept here."""

from __future__ import annotations

import io
from pathlib import Path

import apsw
import pytest

from pillarbox.cli.tools import exim_dumpdb, exim_fixdb
from pillarbox.cli.tools.exim_fixdb import BadValue, renamed
from pillarbox.cli.tools.hints_files import Entry


def numbers(error: str) -> tuple[int, int]:
    entry = Entry("", 0, 0, 0, False, error, "")
    return entry.number, entry.further


@pytest.mark.parametrize(
    ("error", "field", "number", "expected"),
    [
        ("routing", 0, 111, (111, 0)),
        ("routing", 0, -44, (-44, 0)),
        ("refused_MX", 0, 113, (113, 77)),
        ("refused", 1, 65, (111, 65)),
        ("rcpt_4xx", 1, 51 << 8 | 65, (-44, 51 << 8 | 65)),
        ("rcpt_4xx", 1, 51 << 8 | 77, (-44, 51 << 8 | 77)),
        ("mail_4xx_451_MX", 0, -45, (-45, 51 << 8 | 77)),
        ("refused", 0, 117, (117, 0)),
        ("number_117", 0, 0, (0, 0)),
        ("refused_A", 1, 0, (111, 0)),
        ("quota", 1, 7777, (-22, 7777)),
    ],
)
def test_numbers_become_names(error: str, field: int, number: int, expected: tuple[int, int]) -> None:
    assert numbers(renamed(error, field, number)) == expected


def test_further_data_that_nothing_has() -> None:
    with pytest.raises(BadValue, match="77"):
        renamed("refused", 1, 7777)


def test_changing_a_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "db").mkdir()
    with apsw.Connection(str(tmp_path / "db" / "retry.sqlite")) as connection:
        connection.execute(
            "CREATE TABLE retry (key, first_failed, last_tried, next_try, is_expired, error, text)"
        )
        row = ("R:a.example", 10.0, 20.0, 30.0, 0, "routing", "not now")
        connection.execute("INSERT INTO retry VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    typed = "R:a.example\n0\n0 -44\n0 x\n6 1\n5 yes\n0 61 of us\nq\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert exim_fixdb.run([str(tmp_path), "retry"]) == 0
    told = capsys.readouterr().out
    assert "> value missing\n> " in told
    assert "> unknown field number\n> " in told
    assert "0 error number: -44 not now\n" in told
    assert exim_dumpdb.run(["-z", str(tmp_path), "retry"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "  R:a.example 61 0 not now"
