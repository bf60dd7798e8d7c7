"""The promises of ports/journal.py, asked of every backend; and what only files can do."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tests.support.clock import JumpClock

from pillarbox.backends.journal.files import FileJournal
from pillarbox.backends.journal.logfile import LogFile
from pillarbox.backends.journal.memory import MemoryJournal
from pillarbox.ports.journal import Event, Journal

ID = "1xVBlU-000000002vd-3Fbs"


class Place:
    """A journal on files, with what it has written."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("log", "input", "msglog"):
            (root / name).mkdir()
        self.clock = JumpClock(1_800_000_000.0)
        self.journal = FileJournal(str(root / "log"), str(root), self.clock)

    def lines(self, name: str) -> list[str]:
        self.journal.flush()
        path = self.root / "log" / name
        return [line[20:] for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize("kind", ["memory", "files"])
async def test_every_line_goes_where_it_belongs(kind: str, place: Place) -> None:
    memory = MemoryJournal()
    journal: Journal = memory if kind == "memory" else place.journal
    journal.main("one\nforged")
    journal.reject("two")
    journal.panic("three\r\n")
    if kind == "memory":
        written = memory.main_lines, memory.reject_lines, memory.panic_lines
    else:
        written = place.lines("mainlog"), place.lines("rejectlog"), place.lines("paniclog")
    assert written == (["one\\nforged", "three\\r\\n"], ["two"], ["three\\r\\n"])


@pytest.mark.parametrize("kind", ["memory", "files"])
def test_events_are_kept_as_they_are(kind: str, place: Place) -> None:
    journal = MemoryJournal() if kind == "memory" else place.journal
    event = Event(at=1.0)
    journal.event(event)
    assert list(journal.events) == [event]
    assert journal.events[0] is event


def test_time_stamp_is_local_time(place: Place) -> None:
    place.journal.main("x")
    place.clock.jump(61.7)
    place.journal.main("y")
    text = (place.root / "log" / "mainlog").read_text().splitlines()
    stamps = [time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(1_800_000_000 + n)) for n in (0, 61)]
    assert text == [f"{stamps[0]} x", f"{stamps[1]} y"]


async def test_lines_gather_before_they_are_written(place: Place) -> None:
    place.journal.main("x")
    assert not (place.root / "log" / "mainlog").exists()
    for _ in range(100):
        place.journal.main("y" * 1000)
    assert (place.root / "log" / "mainlog").stat().st_size > 60_000
    place.journal.close()
    assert len((place.root / "log" / "mainlog").read_text().splitlines()) == 101


def test_rotated_file_is_followed(place: Place) -> None:
    place.journal.main("old")
    (place.root / "log" / "mainlog").rename(place.root / "log" / "mainlog.1")
    place.clock.jump(2)
    place.journal.main("new")
    assert place.lines("mainlog") == ["new"]
    assert place.lines("mainlog.1") == ["old"]
    (place.root / "log" / "mainlog").rename(place.root / "log" / "mainlog.2")
    place.journal.reopen()
    place.journal.main("newest")
    assert place.lines("mainlog") == ["newest"]


def test_rejected_headers_are_kept_as_they_are_given(place: Place) -> None:
    place.journal.reject("refused\n  Subject: x\nF From: y\n")
    assert (place.root / "log" / "rejectlog").read_text().splitlines()[1:] == ["  Subject: x", "F From: y"]


async def test_message_log_of_a_waiting_message_only(place: Place) -> None:
    place.journal.message(ID, "first\nline")
    place.journal.message("../../evil", "x")
    place.journal._write_message_logs()
    assert list((place.root / "msglog").iterdir()) == []
    place.clock.jump(1)
    (place.root / "input" / f"{ID}-D").write_text("x")
    place.journal._write_message_logs()
    assert (place.root / "msglog" / ID).read_text()[20:] == "first\\nline\n"
    (place.root / "input" / f"{ID}-D").unlink()
    (place.root / "msglog" / ID).unlink()
    place.journal.message(ID, "too late")
    place.clock.jump(31)
    place.journal._write_message_logs()
    place.journal.close()
    assert list((place.root / "msglog").iterdir()) == []


def test_full_disk_loses_a_counted_number_of_lines(tmp_path: Path) -> None:
    file = LogFile(str(tmp_path / "missing" / "mainlog"))
    for n in range(10_500):
        file.lines.append(f"2026-01-01 00:00:00 {n}")
    file.write_out(1.0)
    (tmp_path / "missing").mkdir()
    file.write_out(1.5)
    file.write_out(3.0)
    lines = (tmp_path / "missing" / "mainlog").read_text().splitlines()
    assert lines[0] == "2026-01-01 00:00:00 500 log lines were lost: disk full?"
    assert lines[1:] == [f"2026-01-01 00:00:00 {n}" for n in range(500, 10_500)]
    file.close()


def test_two_workers_append_whole_lines(place: Place) -> None:
    other = FileJournal(str(place.root / "log"), str(place.root), place.clock)
    for n in range(50):
        place.journal.main(f"a {n}")
        other.main(f"b {n}")
    other.close()
    assert sorted(place.lines("mainlog")) == sorted([f"{who} {n}" for who in "ab" for n in range(50)])
