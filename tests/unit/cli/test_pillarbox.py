"""The command `pillarbox`: it explains itself, and says what is wrong in one line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pillarbox.app.data_folder import DataFolder
from pillarbox.app.first_start import Start
from pillarbox.cli.main import main, make_parser
from pillarbox.cli.welcome import welcome


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from parsers(below)


@pytest.mark.parametrize("parser", list(parsers(make_parser())), ids=lambda parser: parser.prog)
def test_everything_is_explained(parser: argparse.ArgumentParser) -> None:
    assert parser.description
    assert parser.description[0].isupper()
    assert parser.description[-1] == "."
    for action in parser._actions:
        if not isinstance(action, argparse._SubParsersAction):
            assert action.help, action.dest
            assert not action.help.endswith(".")


def complaint(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int | str | None, str]:
    monkeypatch.setattr(sys, "argv", ["pillarbox", *words])
    monkeypatch.setattr("pillarbox.cli.main.begin", lambda: None)
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        ("serve --workers -1", 2, "pillarbox serve: error: argument --workers: -1: a number was expected\n"),
        ("queue remove x", 1, "x: this is no message id; `pillarbox queue list` shows them\n"),
        ("queue list x", 1, "x: this is no message id; `pillarbox queue list` shows them\n"),
        ("serve -C {nowhere}", 73, "pillarbox: spool_directory: {folder}/x.conf: File exists\n"),
        ("queue list -C {nowhere}", 77, "{folder}/x.conf/input: Not a directory\n"),
        ("user list -C {nowhere}", 1, "accounts_file is not set, so there are no accounts of its own\n"),
        ("user list -C {conf}", 1, "{folder}/accounts: Is a directory\n"),
        ("user remove -C {conf} x", 1, "{folder}/accounts: Is a directory\n"),
        ("user add -C {conf} x", 1, "{folder}/accounts: Is a directory\n"),
    ],
)
def test_what_is_wrong(
    words: str,
    code: int,
    text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "accounts").mkdir()
    configuration = tmp_path / "x.conf"
    configuration.write_text(f"accounts_file = {tmp_path}/accounts\n")
    nowhere = tmp_path / "nowhere.conf"
    nowhere.write_text(f"spool_directory = {configuration}\nlocal_interfaces = 127.0.0.1\n")
    told = complaint(words.format(conf=configuration, nowhere=nowhere).split(), monkeypatch, capsys)
    assert told[0] == code
    assert told[1].endswith(text.format(folder=tmp_path))


def test_the_welcome_names_commands_that_find_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = Start(DataFolder(tmp_path / "data"), "ann", "secret")
    assert f"queue list --data {tmp_path}/data\n" in welcome(start, (), 2)
    start.folder.path.mkdir()
    start.folder.configuration.touch()
    monkeypatch.setenv("PILLARBOX_CONFIG", str(start.folder.configuration))
    text = welcome(start, (), 1)
    assert "queue list\n" in text
    assert "1 worker, data" in text
