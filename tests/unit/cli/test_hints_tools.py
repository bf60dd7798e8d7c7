"""exim_dumpdb, exim_tidydb and exim_fixdb on rates, what was seen, and callouts."""

from __future__ import annotations

import io
from pathlib import Path

import msgspec
import pytest

from pillarbox.backends.hints.records import SqliteRecords
from pillarbox.cli.tools import exim_dumpdb, exim_fixdb, exim_tidydb
from pillarbox.flow.check import rate
from pillarbox.flow.check.callout_cache import DomainRecord
from pillarbox.ports.hint_records import Database, HintRecord

AT = 1700000000.5


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    (tmp_path / "db").mkdir()
    records = SqliteRecords(tmp_path / "db" / "records.sqlite")

    def put(database: Database, key: str, record: HintRecord) -> None:
        records.change(database, key, lambda _: record)

    put("ratelimit", "1h/per_mail/10.1.1.1", rate.written(rate.Measure(2.5), AT))
    put("ratelimit", "1h/per_rcpt/unique/x", rate.written(rate.Measure(1.0, AT, ("a", "b")), AT))
    put("seen", "joe", HintRecord(AT, ""))
    domain = DomainRecord(result="accept", postmaster="reject")
    put("callout", "example.org", HintRecord(AT, msgspec.json.encode(domain).decode()))
    put("callout", "joe@example.org", HintRecord(AT, "reject"))
    return tmp_path


def dumped(spool: Path, name: str, capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    assert exim_dumpdb.run(["-z", *options, str(spool), name]) == 0
    return capsys.readouterr().out.splitlines()


def test_dump_has_exims_lines(spool: Path, capsys: pytest.CaptureFixture[str]) -> None:
    when = "14-Nov-2023 22:13:20"
    assert dumped(spool, "ratelimit", capsys) == [
        f"{when}.500000 rate:      2.500 key: 1h/per_mail/10.1.1.1",
        f"{when}.500000 rate:      1.000 epoch: {when} size: 2 key: 1h/per_rcpt/unique/x",
    ]
    assert dumped(spool, "seen", capsys) == [f"joe\t{when}"]
    assert dumped(spool, "callout", capsys) == [
        f"{when} example.org callout=accept postmaster=reject ({when}) random=unknown",
        f"{when} joe@example.org callout=reject",
    ]
    assert dumped(spool, "seen", capsys, "-k") == ["  joe"]


@pytest.mark.parametrize("name", ["misc", "tls", "wait-smtp", "retry"])
def test_what_is_not_there(spool: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exim_dumpdb.run([str(spool), name]) == 1
    assert capsys.readouterr().out.startswith("** Failed to open hintsdb file")
    assert exim_tidydb.run([str(spool), name]) == 0


def test_unknown_names_are_usage(spool: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for tool in (exim_dumpdb, exim_tidydb, exim_fixdb):
        assert tool.run([str(spool), "nosuch"]) == 1
        assert capsys.readouterr().out.startswith("Usage: ")


def test_tidying_removes_what_is_old(spool: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = SqliteRecords(spool / "db" / "records.sqlite")
    records.change("seen", "new", lambda _: HintRecord(9e9, ""))
    assert exim_tidydb.run([str(spool), "seen"]) == 0
    assert "deleted joe (too old)\n" in capsys.readouterr().out
    assert [key for key, _ in records.all("seen")] == ["new"]


def fixed(spool: Path, name: str, typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert exim_fixdb.run(["-z", str(spool), name]) == 0


def test_fixing_a_rate(
    spool: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fixed(spool, "ratelimit", "2 1\nnosuch\n1h/per_mail/10.1.1.1\n2 7.25\n2\n9 1\nd x\n", monkeypatch)
    out = capsys.readouterr().out
    assert "> No previous record name is set\n> record nosuch not found\n" in out
    assert "2 sender rate:  7.250" in out
    assert "value missing" in out
    assert "unknown field number" in out
    assert 'unexpected value after "d"' in out
    record = SqliteRecords(spool / "db" / "records.sqlite").read("ratelimit", "1h/per_mail/10.1.1.1")
    measure = rate.read(record)
    assert measure is not None
    assert measure.rate == 7.25


def test_deleting_a_record(
    spool: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fixed(spool, "seen", "joe\nd\njoe\nq\n", monkeypatch)
    assert "> deleted\n> record joe not found\n> " in capsys.readouterr().out


def test_tidydb_is_given_every_file_of_the_directory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By Debian's daily job, which looks at the exit code."""
    directory = tmp_path / "db"
    directory.mkdir()
    for name in ("retry.sqlite.lock", "secret"):
        (directory / name).touch()
        assert exim_tidydb.run([str(tmp_path), name]) == 0
    assert capsys.readouterr().out == ""
    assert exim_tidydb.run([str(tmp_path), "../db/secret"]) == 1
    assert exim_tidydb.run([str(tmp_path), "nosuch"]) == 1


@pytest.mark.parametrize("name", ["retry", "callout"])
def test_what_may_not_be_read(
    spool: Path,
    name: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name that is too long, since everybody may read all where tests run as root."""
    hidden = spool / ("x" * 300)
    complaint = f"** Failed to open hintsdb file {hidden}/db/{name} for reading: File name too long\n"
    assert exim_dumpdb.run([str(hidden), name]) == 1
    assert capsys.readouterr().out == complaint
    assert exim_tidydb.run([str(hidden), name]) == 1
    assert capsys.readouterr().out.endswith(complaint)
    monkeypatch.setattr("sys.stdin", io.StringIO("x\n"))
    assert exim_fixdb.run([str(hidden), name]) == 0
    assert capsys.readouterr().out.endswith(f"> {complaint}> \n")


def test_what_is_no_data_base(spool: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (spool / "db" / "retry.sqlite").write_text("nonsense, and enough of it to be looked at")
    assert exim_tidydb.run([str(spool), "retry"]) == 1
    assert "** Failed to read" in capsys.readouterr().out
