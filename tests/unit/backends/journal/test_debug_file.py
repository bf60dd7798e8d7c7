"""The files of `control = debug`."""

from __future__ import annotations

from pathlib import Path

from tests.support.clock import JumpClock

from pillarbox.backends.journal.files import FileJournal
from pillarbox.backends.journal.paths import LogTargets


def journal(place: Path, pattern: str) -> FileJournal:
    targets = LogTargets(f"{place}/{pattern}" if pattern else "")
    return FileJournal(str(place), str(place), JumpClock(), targets=targets)


def test_texts_are_appended_and_removed(tmp_path: Path) -> None:
    log = journal(tmp_path, "%slog")
    log.debug(".x", "")
    assert (tmp_path / "debuglog.x").read_bytes() == b""
    log.debug(".x", "one\n")
    log.debug(".x", "two \udcff\n")
    assert (tmp_path / "debuglog.x").read_bytes() == b"one\ntwo \xff\n"
    assert (tmp_path / "debuglog.x").stat().st_mode & 0o777 == 0o640
    log.debug(".x", None)
    log.debug(".x", None)
    assert not (tmp_path / "debuglog.x").exists()


def test_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "debuglog").symlink_to(tmp_path / "other")
    journal(tmp_path, "%slog").debug("", "text")
    assert not (tmp_path / "other").exists()


def test_without_files_there_is_none(tmp_path: Path) -> None:
    journal(tmp_path, "").debug("", "text")
    assert not list(tmp_path.iterdir())


def test_panics_are_counted(tmp_path: Path) -> None:
    log = journal(tmp_path, "%slog")
    assert log.panics == 0
    log.panic("help")
    log.panic_only("help")
    assert log.panics == 2
