"""Line ends of messages from programs, as the real Exim 4.100 reads them."""

from __future__ import annotations

import pytest

from pillarbox.wire.line_ends import with_unix_ends


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (b"X: 1\r\n\r\nbo\nx\n", b"X: 1\n\nbo\nx\n"),
        (b"X: 1\rY: 2\n\nbody\r", b"X: 1\n Y: 2\n\nbody\n"),
        (b"X: 1\r Z: 3\r\rA: b\n\nbo\rdy\r\r\nx\r", b"X: 1\n  Z: 3\n \n A: b\n\nbo\ndy\n\nx\n"),
        (b"X: 1\n\rZ: 3\n\nbody\r", b"X: 1\n\n\n Z: 3\n\nbody\n"),
        (b"X: 1\r\n y\n z\r\nA: b\r\n\r\n", b"X: 1\n y\n  z\nA: b\n\n"),
        (b"X: 1\r\r\r\nY: 2\r\n\r\n\r\r\nb", b"X: 1\nY: 2\n\n\n\nb"),
        (b"X: 1\r\r\nY: 2\n\nbo\n", b"X: 1\nY: 2\n \n bo\n"),
        (b"\rX: 1\n\nbo\n", b"\n\n X: 1\n\nbo\n"),
        (b"X: 1\nfoo\rbar\nbaz\r\n", b"X: 1\nfoo\n bar\nbaz\n"),
    ],
)
def test_no_stray_line_end_makes_a_header_line(given: bytes, read: bytes) -> None:
    assert with_unix_ends(given, dot_ends=True) == read


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (b"X: 1\n\na\r.\rb\r\n.\r\nc", b"X: 1\n\na\n.\nb\n"),
        (b"X: 1\r.\r\n.\r\n", b"X: 1\n .\n"),
        (b"X: 1\n\n.\r.\r\nq\n", b"X: 1\n\n.\n.\nq\n"),
        (b"X: 1\n\na\n.\rb\n", b"X: 1\n\na\n.\nb\n"),
        (b"X: 1\r\n\r\n.\n.\r\nq\n", b"X: 1\n\n"),
    ],
)
def test_a_dot_between_two_returns_ends_nothing(given: bytes, read: bytes) -> None:
    assert with_unix_ends(given, dot_ends=True) == read


def test_a_dot_ends_nothing_where_none_is_to() -> None:
    assert with_unix_ends(b"X: 1\n\n.\r\nb\r\n", dot_ends=False) == b"X: 1\n\n.\nb\n"
