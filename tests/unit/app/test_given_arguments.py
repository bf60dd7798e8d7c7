"""`log_selector = +arguments`: lines are the real Exim's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pillarbox.app.configuration import load_config
from pillarbox.app.given_arguments import line_of_arguments


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return tmp_path / "exim.conf"


def test_words_with_blanks_stand_in_quotes(written: Path) -> None:
    written.write_text("log_selector = +arguments\n")
    words = ["/usr/sbin/exim4", "-odq", "-f", "", "-oMr", "a b", "-F", 'the"x\\', "ü"]
    line = f'cwd={os.getcwd()} 9 args: /usr/sbin/exim4 -odq -f "" -oMr "a b" -F the"x\\ \\303\\274'
    assert line_of_arguments(load_config(written), words) == line


def test_nothing_is_said_unasked(written: Path) -> None:
    written.write_text("")
    assert line_of_arguments(load_config(written), ["exim"]) == ""
