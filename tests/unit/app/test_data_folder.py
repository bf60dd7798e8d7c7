"""Where a configuration is looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from pillarbox.app.data_folder import CONFIGURATION, EXIM, places


def test_ours_come_before_those_of_exim(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PILLARBOX_CONFIG", "/some/where.conf")
    names = [str(path) for path in places()]
    assert names[0] == "/some/where.conf"
    assert names[1] == str(tmp_path / "var" / CONFIGURATION)
    assert names[-len(EXIM) :] == list(EXIM)


def test_nothing_is_believed_where_everybody_may_write(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tmp_path.chmod(0o1777)
    monkeypatch.chdir(tmp_path)
    assert tmp_path / "var" / CONFIGURATION not in places()
