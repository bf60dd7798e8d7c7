"""What modes do without a daemon, where something is wrong with the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from pillarbox.cli.exim import run


def test_a_message_log_that_is_not_there_and_a_broken_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "conf"
    config.write_text(f"spool_directory = {tmp_path}\nnonsense = 1\n")
    assert run(["-C", str(config), "-Mvl", "1aaaaa-00000000000-0000"], "exim")
    told = capsys.readouterr()
    assert told.out.startswith("Failed to open msglog file for 1aaaaa-00000000000-0000")
    assert told.err.endswith('  main option "nonsense" unknown\n')


@pytest.mark.parametrize("option", ["-bpc", "-bp", "-qff", "-bs", "-odi"])
def test_a_broken_configuration_is_told_and_no_fault_of_ours(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that names no spool, so that even those who only look at the queue need all of it."""
    config = tmp_path / "conf"
    config.write_text("nonsense = 1\n")
    monkeypatch.setattr("sys.stdin", (tmp_path / "conf").open())
    assert run(["-C", str(config), option, *(["x@y.test"] if option == "-odi" else [])], "exim") == 1
    assert capsys.readouterr().err.endswith('  main option "nonsense" unknown\n')
