"""What `mailq` shows of a message, and other commands of its files."""

from pathlib import Path

import pytest

from pillarbox.cli.queue_listing import show, show_all, shown_age

ID = "1xVBlU-000000002vd-3Fbs"


@pytest.mark.parametrize(
    ("minutes", "age"),
    [
        (89, "89m"),
        (90, "90m"),
        (91, " 2h"),
        (2940, "49h"),
        (4349, "72h"),
        (4350, " 3d"),
        (5759, " 4d"),
        (6480, " 5d"),
    ],
)
def test_ages_as_exim_rounds_them(minutes: int, age: str) -> None:
    assert shown_age(minutes * 60 + 5) == age


def test_what_is_no_header_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "input").mkdir()
    (tmp_path / "input" / f"{ID}-H").write_text("nonsense\n")
    (tmp_path / "input" / f"{ID}-D").write_text(f"{ID}-D\n")
    assert show(tmp_path, ID, "copy") == 1
    assert capsys.readouterr().out == f"Spool format error for {ID}-H\n"
    with pytest.raises(SystemExit, match="1"):
        show_all(tmp_path, ID)
    assert capsys.readouterr().err == f"Spool format error for {ID}-H\n"
