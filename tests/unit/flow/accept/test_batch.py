"""Batched SMTP: what is read, and where it ends."""

from __future__ import annotations

import io

import pytest
from tests.support.world import AcceptWorld

from pillarbox.app.alone_options import AloneOptions
from pillarbox.app.batch import take_batch
from pillarbox.flow.accept.local.batch import BatchError, Transaction, read_batch
from pillarbox.flow.accept.local.caller import Caller


def transactions(text: str) -> list[Transaction]:
    return list(read_batch(io.BytesIO(text.encode())))


def test_reads_one_message_after_the_other() -> None:
    first, second = transactions(
        "HELO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nDATA\r\nX: y\r\n\r\n..dot\r\n.\r\n"
        "MAIL FROM:<>\nRCPT TO:<g>\nDATA\n.\nQUIT\nMAIL\n"
    )
    assert (first.helo, first.sender, first.recipients) == ("me", "a@b", ("c@d", "e@f"))
    assert first.data == b"X: y\n\n.dot\n"
    assert (second.sender, second.recipients, second.data) == ("", ("g",), b"")


def test_no_more_recipients_than_there_may_be() -> None:
    text = "MAIL FROM:<a@b>\nRCPT TO:<c@d>\nRCPT TO:<e@f>\nDATA\n.\n"
    with pytest.raises(BatchError, match="452 too many recipients"):
        list(read_batch(io.BytesIO(text.encode()), recipients_max=1))
    assert len(list(read_batch(io.BytesIO(text.encode()), recipients_max=2))) == 1


@pytest.mark.parametrize(
    ("text", "reply", "began_at", "line"),
    [
        ("DATA\n", "503 MAIL FROM:<sender> command must precede DATA", 0, 1),
        ("MAIL FROM:<a@b>\nDATA\n", "503 RCPT TO:<recipient> must precede DATA", 0, 2),
        ("RCPT TO:<x>\n", "503 No sender yet given", 0, 1),
        ("MAIL FROM:<a@b>\nMAIL FROM:<a@b>\n", "503 Sender already given", 0, 2),
        ("RSET\nMAIL FROM:<a b>\n", '501 "@" or "." expected after "a"', 1, 2),
        ("NOOP\nDATA x\n", "501 Unexpected argument data", 1, 2),
        ("RSET x\n", "501 Unexpected argument data", 0, 1),
        ("ATRN\nSTARTTLS\n", "500 Command unrecognized", 1, 2),
        ("MAIL FROM:<a@b>\nRCPT TO:<f>\nDATA\nX: y\n", "421 Lost incoming connection", 0, 4),
    ],
)
def test_the_first_error_ends_it(text: str, reply: str, began_at: int, line: int) -> None:
    with pytest.raises(BatchError) as caught:
        transactions(text)
    assert (str(caught.value), caught.value.began_at, caught.value.line) == (reply, began_at, line)


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("MAIL FROM:<a>\n", "501 sender address must contain a domain"),
        ("MAIL FROM:<>\nRCPT TO:postmaster\n", "501 recipient address must contain a domain"),
    ],
)
def test_addresses_must_have_domains_where_that_is_asked_for(text: str, reply: str) -> None:
    with pytest.raises(BatchError) as caught:
        list(read_batch(io.BytesIO(text.encode()), keeps_unqualified=True))
    assert str(caught.value) == reply


def test_a_name_that_is_none_is_passed_over() -> None:
    (one,) = transactions("HELO me\nHELO a b\nMAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\n.\n")
    assert one.helo == ""


def test_the_line_of_an_octet() -> None:
    (one,) = transactions("MAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\nA: b\n\n12345\n12345\n.\n")
    assert [one.line_at(octets) for octets in (0, 5, 6, 11, 12)] == [4, 5, 6, 6, 7]


async def test_variables_of_the_connection_go_from_message_to_message() -> None:
    world = AcceptWorld("""
acl_not_smtp = not_smtp
begin acl
not_smtp:
  warn logwrite = had c=$acl_c_one m=$acl_m_one
       set acl_c_one = ${acl_c_one}x
       set acl_m_one = y
  accept
""")
    message = "MAIL FROM:<a@x>\nRCPT TO:<b@y>\nDATA\nA: b\n\n.\n"
    source = io.BytesIO((message * 3).encode())
    caller = Caller("carol", 1000, 100, is_trusted=True)
    assert await take_batch(source, caller, world.mta, AloneOptions()) == 0
    said = [line.partition(" ")[2] for line in world.journal.main_lines if " had " in line]
    assert said == ["had c= m=", "had c=x m=", "had c=xx m="]
