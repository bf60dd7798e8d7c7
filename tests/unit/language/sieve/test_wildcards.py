"""`:matches` against the plain definition of its signs."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox.language.sieve.wildcards import BadPattern, Wildcards


def meant(pattern: bytes) -> bytes:
    signs = re.findall(rb"\\.|[^\\]", pattern, re.DOTALL)
    return b"".join(
        b".*" if sign == b"*" else b"." if sign == b"?" else re.escape(sign[-1:]) for sign in signs
    )


@settings(max_examples=400, deadline=None)
@given(st.text("ab*?\\", max_size=9), st.text("ab*", max_size=9))
def test_as_defined(text: str, value: str) -> None:
    pattern = text.encode()
    if len(pattern) - len(pattern.rstrip(b"\\")) & 1:
        pattern += b"a"
    found = re.fullmatch(meant(pattern), value.encode(), re.DOTALL) is not None
    assert Wildcards(pattern).matches(value.encode()) is found


def test_a_backslash_at_the_end_counts_when_it_is_reached() -> None:
    assert not Wildcards(b"zz\\").matches(b"a")
    with pytest.raises(BadPattern):
        Wildcards(b"*\\").matches(b"a")


def test_many_stars_take_no_time() -> None:
    assert not Wildcards(b"*a" * 2000 + b"b").matches(b"a" * 100_000)
