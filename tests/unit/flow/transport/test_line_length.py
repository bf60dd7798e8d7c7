"""message_linelength_limit: the longest line, wherever the body is cut."""

import pytest

from pillarbox.flow.transport.line_length import longest_line_beyond
from pillarbox.mail.message import MemoryBody, Message


class CutBody:
    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces
        self.size = sum(map(len, pieces))
        self.lines = sum(piece.count(b"\n") for piece in pieces)

    def chunks(self):
        yield from self.pieces


def test_a_message_within_the_limit():
    assert longest_line_beyond(Message(b"A: b\n", MemoryBody(b"x" * 10 + b"\n" + b"y" * 10)), 10) == 0


@pytest.mark.parametrize("headers", [b"A: " + b"b" * 20 + b"\n", b"A: b\n"])
def test_a_long_line_is_measured(headers):
    body = b"x\n" if len(headers) > 10 else b"x" * 23 + b"\n"
    assert longest_line_beyond(Message(headers, MemoryBody(body)), 10) == 23


def test_a_line_in_several_pieces():
    body = CutBody(b"short\nxxxxx", b"xxxxx", b"xx\nshort")
    assert longest_line_beyond(Message(b"", body), 10) == 12
    assert longest_line_beyond(Message(b"", body), 12) == 0
