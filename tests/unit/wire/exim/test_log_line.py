"""Mainlog lines, compared with what Exim 4.100 wrote for the same events."""

from __future__ import annotations

import pytest

from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.message import MemoryBody, Message
from pillarbox.wire.exim.log_line import line_frozen, line_received, printable, sending_host

ID = "1xVBlU-000000002vd-3Fbs"


def received(headers: bytes = b"", sender: str | None = "a@b.example", **origin: object) -> str:
    facts = Origin(**origin)  # type: ignore[arg-type]
    envelope = Envelope(id=ID, sender=sender, recipients=(Recipient("x@y"),), origin=facts, received_at=1.0)
    return line_received(envelope, Message(headers, MemoryBody(b"1234\n"))).removeprefix(f"{ID} <= ")


def test_received_from_a_host() -> None:
    line = received(
        b"Subject: x\nMessage-Id: <m1@b.example>\n",
        host_address="192.0.2.7",
        host_name="host.example",
        helo="[1.2.3.4]",
        ident="idnt",
        protocol="utf8esmtpa",
        authenticator="plain",
        authenticated_id="user1",
    )
    assert (
        line
        == "a@b.example H=host.example ([1.2.3.4]) [192.0.2.7] U=idnt P=utf8esmtpa A=plain:user1 S=44 id=m1@b.example"
    )


def test_bounce_of_our_own() -> None:
    envelope = Envelope(id=ID, sender=None, recipients=(), origin=Origin(ident="mail"), received_at=1.0)
    line = line_received(envelope, Message(b"", MemoryBody(b"")), reference="1xVBlU-000000002vf-3IUa")
    assert line == f"{ID} <= <> R=1xVBlU-000000002vf-3IUa U=mail P=local S=1"


@pytest.mark.parametrize(
    ("headers", "shown"),
    [
        (b"Message-ID:\n <a@x>\n", " id=a@x"),
        (b"MESSAGE-ID: foo@bar (x)\n", " id=foo@bar"),
        (b"Message-ID: <abc def@x>\n", ""),
        (b'Message-ID: <ab"c@x>\n', ""),
        (b"X-Message-ID: <a@x>\n", ""),
        (b"Subject: Message-ID: <a@x>\n", ""),
        (b"Message-ID: <\xff@x>\n", r" id=\377@x"),
    ],
)
def test_message_id_in_the_header(headers: bytes, shown: str) -> None:
    assert received(headers).partition(f" S={len(headers) + 6}")[2] == shown


@pytest.mark.parametrize(
    ("name", "helo", "shown"),
    [
        ("host.example", "192.0.2.7", "host.example (192.0.2.7) [192.0.2.7]"),
        ("", "192.0.2.7", "(192.0.2.7) [192.0.2.7]"),
        ("host.example", "[192.0.2.7]", "host.example [192.0.2.7]"),
        ("", "[192.0.2.7]", "([192.0.2.7]) [192.0.2.7]"),
        ("host.example", "Host.Example", "host.example [192.0.2.7]"),
        ("host.example", "other.example", "host.example (other.example) [192.0.2.7]"),
        ("", "", "[192.0.2.7]"),
        ("", "a\nb", r"(a\nb) [192.0.2.7]"),
    ],
)
def test_sending_host(name: str, helo: str, shown: str) -> None:
    assert sending_host(Origin(host_address="192.0.2.7", host_name=name, helo=helo)) == shown


def test_freezing() -> None:
    assert (line_frozen(ID), line_frozen(ID, "root")) == (f"{ID} Frozen", f"{ID} frozen by root")


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a b\\c", "a b\\c"), ("x\r\n\t", "x\\r\\n\\t"), ("ü\x00\x7f\udcff", "\\303\\274\\000\\177\\377")],
)
def test_what_is_not_printable(text: str, shown: str) -> None:
    assert printable(text) == shown
