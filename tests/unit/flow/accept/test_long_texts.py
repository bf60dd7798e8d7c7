"""Long texts of ACLs become several lines: behind a colon, else at a blank (as Exim 4.100 divides them)."""

from __future__ import annotations

import pytest

from pillarbox.flow.accept.rejection import in_lines


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("short", ["short"]),
        ("x" * 200, ["x" * 200]),
        ("a" * 40 + ": " + "b" * 40, ["a" * 40 + ":", "b" * 40]),
        ("a" * 20 + ": " + "b" * 30 + " " + "c" * 40, ["a" * 20 + ": " + "b" * 30, "c" * 40]),
        ("a" * 75 + "   " + "b" * 10, ["a" * 75, "b" * 10]),
        ("a" * 90 + " b", ["a" * 90, "b"]),
        ("one\n" + "a" * 50 + " " + "b" * 50, ["one", "a" * 50, "b" * 50]),
    ],
)
def test_where_lines_end(text: str, lines: list[str]) -> None:
    assert in_lines(text).split("\n") == lines
