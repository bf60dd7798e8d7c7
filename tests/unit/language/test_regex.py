"""Regular expressions: captures, taint, limits and errors."""

from __future__ import annotations

import pytest

from pillarbox.language.regex import MAX_SUBJECT, RegexError, compile_regex, search
from pillarbox.mail.taint import Tainted, is_tainted


def test_captures_with_unset_groups_empty() -> None:
    assert search(compile_regex("(x)?(a)(y)?"), "ba") == ["a", "", "a", ""]
    assert search(compile_regex("x"), "ba") is None


def test_counts_bytes_unless_told_otherwise() -> None:
    assert search(compile_regex("f(.)$"), "café") is None
    assert search(compile_regex("(*UTF)f(.)$"), "café") == ["fé", "é"]
    assert search(compile_regex("f(.)"), "café") == ["f\udcc3", "\udcc3"]


def test_captures_of_a_tainted_subject_are_tainted() -> None:
    found = search(compile_regex("(.)b"), Tainted("ab"))
    assert found == ["ab", "a"]
    assert all(is_tainted(text) for text in found or [])
    assert not is_tainted((search(compile_regex("(.)b"), "ab") or [""])[0])


def test_ignores_case_when_asked() -> None:
    assert compile_regex("ABC", ignore_case=True).matches("xabc")
    assert not compile_regex("ABC").matches("xabc")


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("a(", 'regular expression error in "a(": missing closing parenthesis at offset 2'),
        ('"\n(', 'regular expression error in "\\"\\n(": missing closing parenthesis at offset 3'),
        (
            "é[",
            'regular expression error in "\\303\\251[": missing terminating ] for character class at offset 3',
        ),
    ],
)
def test_says_what_is_wrong_and_where(pattern: str, reason: str) -> None:
    with pytest.raises(RegexError) as caught:
        compile_regex(pattern)
    assert str(caught.value) == reason


@pytest.mark.parametrize("pattern", ["^(a|aa)+$", "(a+)+(?!a)x", "(?:a*)*b(?<!a)"])
def test_evil_expressions_end_quickly(pattern: str) -> None:
    try:
        assert not compile_regex(pattern).matches("a" * 60 + "!")
    except RegexError as error:
        assert "match limit exceeded" in str(error)


def test_the_limit_is_named() -> None:
    with pytest.raises(RegexError, match="match limit exceeded"):
        compile_regex("^(a|aa)+$").matches("a" * 60 + "!")


def test_deep_matches_need_no_stack() -> None:
    assert compile_regex(r"^(?:a|b)*(?:.|\n)*x$").matches("ab" * 50_000 + "x")


def test_length_of_the_subject_is_bounded() -> None:
    with pytest.raises(RegexError, match="longer than"):
        compile_regex("a").matches("a" * (MAX_SUBJECT + 1))


def test_finds_all_as_perl_does() -> None:
    def all_of(pattern: str, text: str) -> list[tuple[int, int]]:
        return [spans[0] for spans in compile_regex(pattern).all_spans(text.encode())]

    assert all_of("", "ab") == [(0, 0), (1, 1), (2, 2)]
    assert all_of("x*", "axb") == [(0, 0), (1, 2), (2, 2), (3, 3)]
    assert all_of("b", "abcb") == [(1, 2), (3, 4)]
    assert all_of("^a", "aa") == [(0, 1)]
