"""What `mailq` shows of a message."""

import pytest

from pillarbox.cli.queue_listing import shown_age


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
