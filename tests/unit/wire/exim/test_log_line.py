"""Mainlog lines, compared with what Exim 4.100 wrote for the same events."""

from __future__ import annotations

import pytest

from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.message import MemoryBody, Message
from pillarbox.mail.outcome import Deferred, Delivered, Failed, RemoteHost, Security
from pillarbox.mail.reply import Reason, Reply
from pillarbox.wire.exim.log_line import (
    line_frozen,
    line_outcome,
    line_received,
    printable,
    sending_host,
)

ID = "1xVBlU-000000002vd-3Fbs"
HOST = RemoteHost("mx.example", "192.0.2.1", 2525)


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


def outcome(kind: str, **fields: object) -> str:
    made = {"=>": Delivered, "**": Failed, "==": Deferred}[kind](**fields)  # type: ignore[arg-type]
    return line_outcome(ID, made).removeprefix(f"{ID} ")


def test_local_delivery() -> None:
    fields: dict[str, object] = {
        "address": "u1@example.org",
        "path": "/m/u1",
        "router": "loc",
        "transport": "md",
    }
    assert outcome("=>", recipient="u1@example.org", **fields) == "=> u1 <u1@example.org> R=loc T=md"
    assert outcome("=>", recipient="al@x", parents=("u@x", "v@x"), **fields) == "=> u1 <al@x> R=loc T=md"
    assert (
        outcome("=>", recipient="al@x", log_word=":blackhole:", address="al@x", router="r")
        == "=> :blackhole: <al@x> R=r"
    )


def test_remote_delivery() -> None:
    made = Delivered(
        address="x@rem.example",
        recipient="x@rem.example",
        router="rem",
        transport="rsmtp",
        host=HOST,
        reply=Reply(250, 'Ok: "q"\nas 12345', "2.0.0"),
        security=Security("TLS1.3:X:256", authenticator="plain"),
        is_reused=True,
        chunking=True,
    )
    assert line_outcome(ID, made, is_additional=True) == (
        f"{ID} -> x@rem.example R=rem T=rsmtp H=mx.example [192.0.2.1]* X=TLS1.3:X:256 A=plain K "
        'C="250-2.0.0 Ok: \\"q\\"\\\\n250 2.0.0 as 12345"'
    )


def test_failures_and_deferrals() -> None:
    who: dict[str, object] = {"address": "x@y", "recipient": "x@y", "router": "r"}
    said = Reply(450, "try later", "4.2.0")
    assert outcome("**", **who, reason=Reason("no such user here")) == "** x@y R=r : no such user here"
    assert (
        outcome("**", **who, transport="t", host=HOST, reason=Reason("SMTP error\nBcc: x"))
        == "** x@y R=r T=t H=mx.example [192.0.2.1] : SMTP error\\nBcc: x"
    )
    assert outcome("==", **who, reason=Reason("not now")) == "== x@y R=r defer: not now"
    assert (
        outcome("==", **who, transport="t", host=HOST, reason=Reason("Connection refused"))
        == "== x@y R=r T=t defer (Connection refused)"
    )
    assert (
        outcome("==", **who, transport="t", host=HOST, reply=said, reason=Reason("450 later"))
        == "== x@y R=r T=t defer H=mx.example [192.0.2.1]: 450 later"
    )


def test_freezing() -> None:
    assert (line_frozen(ID), line_frozen(ID, "root")) == (f"{ID} Frozen", f"{ID} frozen by root")


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a b\\c", "a b\\c"), ("x\r\n\t", "x\\r\\n\\t"), ("ü\x00\x7f\udcff", "\\303\\274\\000\\177\\377")],
)
def test_what_is_not_printable(text: str, shown: str) -> None:
    assert printable(text) == shown
