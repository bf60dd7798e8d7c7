"""Which configuration is taken; what is said when there is none, or nobody may read it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pillarbox.app import data_folder
from pillarbox.app.converting import convert
from pillarbox.cli.exim import run
from pillarbox.cli.places import choose_configuration, existing_configuration, spool_directory

UNNAMEABLE = "x" * 300
"""The operating system refuses such a name, whoever asks."""


def told(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="78"):
        choose_configuration(str(tmp_path / "none"), None)
    assert told(capsys) == f"{tmp_path}/none: no such configuration file\n"
    with pytest.raises(SystemExit, match="78"):
        choose_configuration(None, str(tmp_path))
    assert f"`pillarbox serve --data {tmp_path}` makes it" in told(capsys)


def test_a_file_that_cannot_be_looked_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / UNNAMEABLE
    for config, data in ((str(path), None), (None, str(path))):
        with pytest.raises(SystemExit, match="78"):
            choose_configuration(config, data)
        assert told(capsys).startswith(f"{path}")
    with pytest.raises(SystemExit, match="78"):
        spool_directory(tmp_path)
    assert told(capsys) == f"cannot read {tmp_path}: Is a directory\n"


def test_a_place_that_cannot_be_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PILLARBOX_CONFIG", str(tmp_path / UNNAMEABLE))
    with pytest.raises(SystemExit, match="78"):
        existing_configuration()
    assert told(capsys) == f"cannot look for {tmp_path}/{UNNAMEABLE}: File name too long\n"


def test_everybody_may_ask_for_the_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PILLARBOX_CONFIG", str(tmp_path / UNNAMEABLE))
    assert run(["-bV"], "exim") == 0
    assert capsys.readouterr().out.startswith("Exim version 4.")


def test_places_are_named_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(data_folder.sys.prefix).parent)
    monkeypatch.setattr(data_folder, "_is_among_friends", lambda: True)
    assert len(set(data_folder.places())) == len(data_folder.places())


def test_exim_tells_why_a_file_cannot_be_opened(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="1"):
        run(["-C", f"{tmp_path}/none:{tmp_path}/{UNNAMEABLE}", "-bt", "x@y"], "exim")
    ids = f"(euid={os.geteuid()} egid={os.getegid()})"
    expected = f"failed to open configuration file {tmp_path}/{UNNAMEABLE}: File name too long {ids}\n"
    assert told(capsys).endswith(expected)


def test_what_cannot_be_read_is_named_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert(tmp_path / "none", None) == 1
    assert told(capsys) == f"cannot read {tmp_path}/none: No such file or directory\n"
