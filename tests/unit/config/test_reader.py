"""Logical lines: comments, continuations, includes, conditionals, macros."""

from __future__ import annotations

from pathlib import Path

import pytest

from pillarbox.config.reader import Reader


def read(text: str, **macros: str) -> list[tuple[str, int]]:
    return [(line.text, line.position.line) for line in Reader(macros).read_text(text)]


def test_joins_continuations_and_keeps_the_first_line_number() -> None:
    text = "# comment\n\na = 1 \\\n  # skipped inside\n    2\\\n3\nb\n"
    assert read(text) == [("a = 1 23", 3), ("b", 7)]


def test_a_byte_order_mark_is_named() -> None:
    reader = Reader({})
    assert [line.text for line in reader.read_text("\ufeffa = b\n\ufeffc")] == ["a = b", "\ufeffc"]
    assert [problem.reason for _, problem in reader.problems] == ["found unexpected BOM (Byte Order Mark)"]


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


def test_an_include_that_cannot_be_looked_at_is_passed_over_if_it_need_not_exist(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text(f".include_if_exists /{'x' * 300}\nc = 3\n")
    assert [line.text for line in Reader().read(file)] == ["c = 3"]


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


def problems_of(reader: Reader) -> list[tuple[int, str]]:
    return [(problem.line, problem.reason) for _, problem in reader.problems]


def test_collects_all_problems(tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    outer.write_text(
        f".include relative\n.include_if_exists relative\n.include {tmp_path}/none\n.endif\n"
        "A = 1\nA = 2\nBA = 3\nC == 4\nQueue\n.ifdef X\n"
    )
    reader = Reader()
    reader.read(outer)
    assert problems_of(reader) == [
        (1, f"failed to open included configuration file {tmp_path}/relative"),
        (2, '.include specifies a non-absolute path "relative"'),
        (3, f"failed to open included configuration file {tmp_path}/none"),
        (4, ".endif without matching .ifdef"),
        (6, 'macro "A" is already defined (use "==" if you want to redefine it)'),
        (7, '"BA" cannot be defined as a macro because previously defined macro "A" is a substring'),
        (8, 'can\'t redefine an undefined macro "C"'),
        (9, 'malformed macro definition "Queue"'),
        (10, "Unexpected end of configuration file: .endif missing"),
    ]


def test_an_endless_include_ends(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.write_text(f".include {loop}\n")
    reader = Reader()
    reader.read(loop)
    assert "nested more than" in reader.problems[0][1].suggestion


def test_macros_that_explode_are_bounded() -> None:
    text = "A = xxxxxxxxxx\n"
    text += "BB = " + "A" * 1000 + "\nCC = " + "BB" * 1000 + "\nz = " + "CC" * 1000
    reader = Reader()
    reader.read_text(text)
    assert "exceeds" in reader.problems[0][1].reason


def test_directives_and_comments_stand_in_the_middle_of_a_continued_line(tmp_path: Path) -> None:
    (tmp_path / "part").write_text("b : \\\n")
    (tmp_path / "outer").write_text(
        "x = a : \\\n  # comment \\\n  .include part\n.ifdef _HAVE_TLS\n  c \\\n.else\n  d \\\n.endif\n\ny\n"
    )
    assert [line.text for line in Reader().read(tmp_path / "outer")] == ["x = a : b : c", "y"]


def test_a_macro_may_make_a_comment_or_a_directive(tmp_path: Path) -> None:
    (tmp_path / "part").write_text("x\n")
    (tmp_path / "outer").write_text("OFF = #\nGET = .include\nOFF y\nGET part\n")
    assert [line.text for line in Reader().read(tmp_path / "outer")] == ["x"]


def test_macros_are_defined_between_drivers_but_not_in_other_sections() -> None:
    text = "begin routers\nA = 1\nr:\n d\nB = A2\nR:\n e = B\nbegin retry\nC = 3\n"
    assert [text for text, _ in read(text)] == [
        "begin routers", "", "r:", "d", "", "R:", "e = 12", "begin retry", "C = 3",
    ]  # fmt: skip
