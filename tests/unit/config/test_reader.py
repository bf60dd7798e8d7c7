"""Logical lines: comments, continuations, includes, conditionals, macros."""

from __future__ import annotations

from pathlib import Path

import pytest

from pillarbox.config.errors import ConfigError
from pillarbox.config.reader import Reader


def read(text: str, **macros: str) -> list[tuple[str, int]]:
    return [(line.text, line.position.line) for line in Reader(macros).read_text(text)]


def test_joins_continuations_and_keeps_the_first_line_number() -> None:
    text = "# comment\n\na = 1 \\\n  # skipped inside\n    2\\\n3\nb\n"
    assert read(text) == [("a = 1 23", 3), ("b", 7)]


def test_replaces_macros() -> None:
    assert read("DIR = /var/x\nFILE = DIR/f\npath = FILE\nDIR == /y\npath2 = DIR") == [
        ("path = /var/x/f", 3),
        ("path2 = /y", 5),
    ]


def test_macros_given_by_the_caller_win() -> None:
    assert read("DIR = /a\nx = DIR", DIR="/b") == [("x = /b", 2)]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("A = 1\n.ifdef A\nx\n.else\ny\n.endif", ["x"]),
        (".ifdef A\nx\n.else\ny\n.endif", ["y"]),
        (".ifndef A\nx\n.endif", ["x"]),
        ("B = 1\n.ifdef A\nx\n.elifdef B\ny\n.else\nz\n.endif", ["y"]),
        ("A = 1\n.ifdef A\n.ifdef B\nx\n.endif\ny\n.endif", ["y"]),
        (".ifdef A\n.ifndef B\nx\n.endif\n.endif\nz", ["z"]),
        ("A=1\n.ifdef A\nx\n.elifdef A\ny\n.else\nz\n.endif", ["x"]),
    ],
)
def test_conditionals(text: str, kept: list[str]) -> None:
    assert [line for line, _ in read(text)] == kept


def test_includes(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.write_text("b = 2\n")
    outer = tmp_path / "outer"
    outer.write_text(f"a = 1\n.include {inner}\n.include_if_exists {tmp_path}/none\nc = 3\n")
    lines = Reader().read(outer)
    assert [(line.text, Path(line.position.file).name, line.position.line) for line in lines] == [
        ("a = 1", "outer", 1),
        ("b = 2", "inner", 1),
        ("c = 3", "outer", 4),
    ]


def test_collects_all_problems(tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    outer.write_text(f".include relative\n.include {tmp_path}/none\n.endif\nA = 1\nA = 2\nBA = 3\n.ifdef X\n")
    with pytest.raises(ConfigError) as caught:
        Reader().read(outer)
    reasons = [(problem.line, problem.reason) for problem in caught.value.problems]
    assert [line for line, _ in reasons] == [1, 2, 3, 5, 6, 7]
    assert "non-absolute" in reasons[0][1]
    assert "cannot read" in reasons[1][1]
    assert "already defined" in reasons[3][1]


def test_an_endless_include_ends(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.write_text(f".include {loop}\n")
    with pytest.raises(ConfigError, match="nested more than"):
        Reader().read(loop)


def test_macros_that_explode_are_bounded() -> None:
    text = "A = xxxxxxxxxx\n"
    text += "BB = " + "A" * 1000 + "\nCC = " + "BB" * 1000 + "\nz = " + "CC" * 1000
    with pytest.raises(ConfigError, match="exceeds"):
        Reader().read_text(text)
