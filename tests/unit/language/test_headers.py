"""Header variables: joins, decoding, bounds."""

from __future__ import annotations

from time import perf_counter

import pytest

from pillarbox.language.expand.headers import MAX_LENGTH, Header, HeaderCoding, decode_words

_BLOCK = b"To: a@b,\n c@d\nTo:  e@f \nX-Y:  1 \nX-Y:\nx-y: 2:3\nSubject: =?iso-8859-1?q?caf=E9?=\nX-Y-Z: no\n"


@pytest.mark.parametrize(
    ("name", "kind", "value"),
    [
        ("to", "h", "a@b,\n c@d,\ne@f"),
        ("x-y", "h", "1\n2:3"),
        ("x-y", "r", "  1 \n\n 2:3\n"),
        ("x-y", "l", "  1 :: 2::3"),
        ("subject", "h", "café"),
        ("subject", "b", "caf\udce9"),
        ("subject", "r", " =?iso-8859-1?q?caf=E9?=\n"),
        ("x", "h", ""),
    ],
)
def test_reads(name: str, kind: str, value: str) -> None:
    assert Header(name, kind).read(_BLOCK) == value


def test_an_empty_header_is_there() -> None:
    assert Header("x-e", "h").is_in(b"X-E:\n")
    assert not Header("x-e", "h").is_in(b"Y: X-E: 1\n x-e: 2\n")


def test_translates_into_the_charset_of_the_configuration() -> None:
    coding = HeaderCoding("ISO-8859-1")
    assert Header("subject", "h").read(b"Subject: =?utf-8?q?=C3=A9?=\n", coding) == "\udce9"
    assert Header("subject", "h").read(b"Subject: =?utf-8?q?=E2=82=AC?=\n", coding) == "=?utf-8?q?=E2=82=AC?="


def test_long_words_are_no_words_unless_allowed() -> None:
    word = b"=?utf-8?Q?" + b"a" * 70 + b"?="
    assert decode_words(word, "UTF-8") == word
    assert decode_words(word, "UTF-8", checks_length=False) == b"a" * 70


def test_length_is_bounded() -> None:
    block = b"X: " + b"a" * (2 * MAX_LENGTH) + b"\n"
    assert {len(Header("x", kind).read(block)) for kind in "hblr"} == {MAX_LENGTH}


def test_beginnings_without_end_cost_little() -> None:
    begun = perf_counter()
    decode_words(b"=?a?Q?" * 10_000, "UTF-8")
    assert perf_counter() - begun < 2
