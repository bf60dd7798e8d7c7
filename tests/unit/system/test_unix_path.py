import os
from pathlib import Path

import pytest

from pillarbox.system.unix_path import LONGEST, short_name


def test_a_path_that_fits_stays_as_it_is() -> None:
    path = Path("/" + "x" * (LONGEST - 1))
    with short_name(path) as name:
        assert name == str(path)


def test_a_longer_one_is_named_by_way_of_its_directory(tmp_path: Path) -> None:
    folder = tmp_path / ("d" * 120)
    folder.mkdir()
    (folder / "file").write_text("here")
    with short_name(folder / "file") as name:
        assert len(name) <= LONGEST
        assert Path(name).read_text() == "here"
    assert not os.path.exists(name)


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), short_name(tmp_path / ("d" * 120) / "file"):
        pass
