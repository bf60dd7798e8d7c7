"""`-v`: what is told of an SMTP connection."""

from __future__ import annotations

import asyncio

import pytest

from pillarbox.app.telling_network import TellingConnection
from pillarbox.ports.network import TlsWish


class Line:
    """The peer's replies come one after the other."""

    tls_cipher = ""
    is_verified = False
    peer_name = ""
    local_address = ("127.0.0.1", 1)

    def __init__(self, *replies: bytes) -> None:
        self.replies = list(replies)
        self.sent = b""

    async def read(self, timeout: float) -> bytes:
        return self.replies.pop(0)

    def unread(self, data: bytes) -> None:
        self.replies.insert(0, data)

    async def write(self, data: bytes, timeout: float) -> None:
        self.sent += data

    async def start_tls(self, wish: TlsWish, timeout: float) -> None: ...

    def close(self) -> None: ...


async def played(line: Line, *steps: bytes) -> None:
    """An empty step reads."""
    connection = TellingConnection(line)
    for step in steps:
        if step:
            await connection.write(step, 1.0)
        else:
            await connection.read(1.0)
    connection.close()


def test_commands_replies_and_the_message(capsys: pytest.CaptureFixture[str]) -> None:
    line = Line(b"220 hi\r\n", b"250-me\r\n250 HELP\r\n", b"250 ok\r\n250 ok\r\n354 go\r\n", b"250 taken\r\n")
    envelope = b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n"
    asyncio.run(
        played(line, b"", b"EHLO x\r\n", b"", envelope, b"", b"Subject: x\r\n\r\nsecret\r\n.\r\n", b"")
    )
    assert capsys.readouterr().err.splitlines() == [
        "  SMTP<< 220 hi",
        "  SMTP>> EHLO x",
        "  SMTP<< 250-me",
        "         250 HELP",
        "  SMTP|> MAIL FROM:<a@b>",
        "  SMTP|> RCPT TO:<c@d>",
        "  SMTP>> DATA",
        "  SMTP<< 250 ok",
        "  SMTP<< 250 ok",
        "  SMTP<< 354 go",
        "  SMTP>> (writing message)",
        "  SMTP>> .",
        "  SMTP<< 250 taken",
        "  SMTP(close)>>",
        "cmdlog: '220:EHLO:250-:MAIL|:RCPT|:DATA:250:250:354:.:250'",
    ]


def test_a_login_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    line = Line(b"334 \r\n", b"334 \r\n", b"235 ok\r\n")
    asyncio.run(
        played(line, b"AUTH LOGIN aGVsbG8=\r\n", b"", b"c2VjcmV0\r\n", b"", b"eHh4\r\n", b"", b"NOOP\r\n")
    )
    err = capsys.readouterr().err
    assert "aGVsbG8" not in err
    assert "c2VjcmV0" not in err
    assert "  SMTP>> AUTH LOGIN ********\n" in err
    assert "  SMTP>> NOOP\n" in err


def test_a_login_is_not_told_when_a_challenge_comes_in_pieces(capsys: pytest.CaptureFixture[str]) -> None:
    line = Line(b"33", b"4 UGFzc3dvcmQ6\r\n", b"235 ok\r\n")
    asyncio.run(played(line, b"AUTH LOGIN aGVsbG8=\r\n", b"", b"", b"c2VjcmV0\r\n", b"", b"NOOP\r\n"))
    err = capsys.readouterr().err
    assert "c2VjcmV0" not in err
    assert "  SMTP>> NOOP\n" in err


def test_a_chunk_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    line = Line(b"250 ok\r\n")
    asyncio.run(played(line, b"MAIL FROM:<>\r\nBDAT 12 LAST\r\nhello", b" world\r", b"", b"QUIT\r\n"))
    assert capsys.readouterr().err.splitlines() == [
        "  SMTP|> MAIL FROM:<>",
        "         will write message using CHUNKING",
        "  SMTP+> BDAT 12 LAST",
        "  SMTP<< 250 ok",
        "  SMTP+> QUIT",
        "  SMTP(shutdown)>>",
        "  SMTP(close)>>",
        "cmdlog: 'MAIL|:BDAT+:250:QUIT+'",
    ]
    assert line.sent.endswith(b"hello world\rQUIT\r\n")
