"""Which bytes a section names."""

from __future__ import annotations

from pillarbox.mail.mime import scan
from pillarbox.mailbox.patterns import is_reasonable, matches
from pillarbox.mailbox.sections import header_end, locate, select_fields

NESTED = (
    b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\none\r\n--a\r\nContent-Type: message/rfc822\r\n\r\n"
    b"Subject: in\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nX: y\r\n\r\ndeep\r\n--b--\r\n\r\n--a--\r\n"
)


def cut(path: tuple[int, ...], text: str = "") -> bytes | None:
    span = locate(scan(NESTED), path, text)
    return None if span is None else NESTED[span[0] : span[1]]


def test_paths() -> None:
    assert cut((1,)) == b"one"
    assert cut((2, 1)) == b"deep"
    assert cut((2, 1), "MIME") == b"X: y\r\n\r\n"
    assert (cut((2,), "HEADER") or b"").startswith(b"Subject: in\r\n")
    assert (cut((2,), "TEXT") or b"").startswith(b"--b\r\n")
    for path in ((3,), (1, 1), (2, 2), (2, 1, 1)):
        assert cut(path) is None, path
    assert cut((1,), "HEADER") is None


def test_single_part_message_has_part_one() -> None:
    data = b"Subject: x\r\n\r\nbody"
    span = locate(scan(data), (1,), "")
    assert span is not None and data[span[0] : span[1]] == b"body"
    assert locate(scan(data), (2,), "") is None


def test_selected_fields_keep_order_and_folding() -> None:
    header = b"To: a\r\nSubject: b\r\n c\r\nto: d\r\nX-Y: z\r\n\r\n"
    assert select_fields(header, [b"to"], inverted=False) == b"To: a\r\nto: d\r\n\r\n"
    assert select_fields(header, [b"to"], inverted=True) == b"Subject: b\r\n c\r\nX-Y: z\r\n\r\n"
    assert select_fields(header, [b"none"], inverted=False) == b"\r\n"


def test_header_end() -> None:
    assert header_end(b"\r\nbody") == 2
    assert header_end(b"A: b\r\n\r\nbody") == 8
    assert header_end(b"A: b\r\n") == 6


def test_patterns() -> None:
    assert matches("*", "a/b") and matches("%", "a") and not matches("%", "a/b")
    assert matches("a/%", "a/b") and not matches("a/%", "a/b/c") and matches("a*c", "a/b/c")
    assert matches("%/%", "a/b") and not matches("INBOX", "inbox")
    assert not matches("a*" * 15 + "c", "a" * 200) and not is_reasonable("*" * 17)
