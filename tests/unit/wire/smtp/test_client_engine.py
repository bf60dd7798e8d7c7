"""The client engine against scripted words, and against the server engine."""

from __future__ import annotations

import pytest
from tests.unit.wire.smtp.scripted import LMTP, OFFER, connect, start

from pillarbox.mail.reply import Reply
from pillarbox.wire.smtp.client import Answer, ClientEngine, OutOfOrder
from pillarbox.wire.smtp.commands import Bdat, Connect, Content, Unasked, render_command
from pillarbox.wire.smtp.events import (
    Auth,
    AuthResponse,
    Data,
    Helo,
    Mail,
    Need,
    Noop,
    Quit,
    Rcpt,
    Rset,
    StartTls,
    Vrfy,
)
from pillarbox.wire.smtp.extensions import Extensions, parse_extensions, render_extensions
from pillarbox.wire.smtp.replies import BadReply, ReplyParser
from pillarbox.wire.smtp.session import ServerSettings

PLAIN = ServerSettings(offer=Extensions(enhanced_status_codes=True))


def answers(client: ClientEngine) -> list[Answer]:
    found = []
    while isinstance(answer := client.next_answer(), Answer):
        found.append(answer)
    return found


def greeted(keywords: bytes = b"", *, lmtp: bool = False) -> ClientEngine:
    client = ClientEngine(lmtp=lmtp)
    client.send(Helo("me.test", is_esmtp=True))
    assert client.outgoing() == b""
    client.receive(b"220 hello\r\n")
    answers(client)
    assert client.outgoing() == (b"LHLO me.test\r\n" if lmtp else b"EHLO me.test\r\n")
    lines = [b"hi", *keywords.split()]
    client.receive(b"".join(b"250-%s\r\n" % line for line in lines[:-1]) + b"250 %s\r\n" % lines[-1])
    answers(client)
    return client


def codes(found: list[Answer]) -> list[int]:
    return [answer.reply.code for answer in found]


def test_two_messages_on_one_connection():
    client, session = start()
    for text in (b"Subject: x\n\n.dot\n..\n", b"no line end"):
        client.send(Mail("a@b.test", size=100))
        client.send(Rcpt("refused@d.test"))
        client.send(Rcpt("c@d.test"))
        client.send(Data())
        assert codes(connect(client, session)) == [250, 550, 250, 354]
        assert client.is_content_open and client.accepted == ["c@d.test"]
        client.write(text[:5])
        client.write(text[5:])
        client.end()
        assert connect(client, session) == [Answer(Content(), Reply(250, "delivered", "2.0.0"))]
        assert not client.needs_reset
    client.send(Quit())
    assert codes(connect(client, session)) == [221]
    assert client.is_closed
    assert session.messages == [b"Subject: x\n\n.dot\n..\n", b"no line end\n"]


def test_pipelining_writes_the_group_at_once():
    client = greeted(b"PIPELINING")
    for command in (Mail("a@b"), Rcpt("c@d"), Data(), Noop()):
        if not isinstance(command, Noop):
            client.send(command)
    assert client.outgoing() == b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n"


def test_without_pipelining_one_at_a_time():
    client = greeted()
    for command in (Mail("a@b"), Rcpt("c@d"), Data()):
        client.send(command)
    for line, reply in ((b"MAIL FROM:<a@b>", b"250"), (b"RCPT TO:<c@d>", b"250 2.1.5"), (b"DATA", b"354 go")):
        assert client.outgoing() == line + b"\r\n"
        assert client.next_answer() is Need.DATA
        client.receive(reply + b"\r\n")
        assert len(answers(client)) == 1
    assert client.is_content_open


def test_what_a_refusal_makes_pointless_is_not_sent():
    client, session = start(PLAIN)
    for command in (Mail("refused@b"), Rcpt("c@d"), Rcpt("e@d"), Data()):
        client.send(command)
    found = connect(client, session)
    assert [(answer.reply.code, answer.is_sent) for answer in found] == [(550, True)] + [(550, False)] * 3
    assert not client.needs_reset
    for command in (Mail("a@b"), Rcpt("refused@d"), Rcpt("refused@e"), Data()):
        client.send(command)
    found = connect(client, session)
    assert [answer.is_sent for answer in found] == [True, True, True, False]
    assert client.needs_reset
    client.send(Rset())
    client.send(Mail("a@b"))
    assert codes(connect(client, session)) == [250, 250]


def test_354_for_nobody_is_ended_by_the_engine():
    client = greeted(b"PIPELINING")
    for command in (Mail("a@b"), Rcpt("c@d"), Data()):
        client.send(command)
    client.outgoing()
    client.receive(b"250 ok\r\n550 no\r\n354 go\r\n")
    assert codes(answers(client)) == [250, 550]
    assert client.outgoing() == b".\r\n" and not client.is_idle
    client.receive(b"554 no recipients\r\n")
    assert codes(answers(client)) == [554]
    assert not client.is_content_open and not client.needs_reset


def test_lmtp_has_an_answer_per_recipient():
    for use_bdat in (False, True):
        client, session = start(LMTP)
        for command in (Mail(None), Rcpt("one@d"), Rcpt("refused@d"), Rcpt("two@d")):
            client.send(command)
        if not use_bdat:
            client.send(Data())
            connect(client, session)
            client.write(b"x\n")
            client.end()
        else:
            connect(client, session)
            client.send(Bdat(b"x\n", is_last=True))
        found = connect(client, session)
        assert [answer.command for answer in found] == [Content("one@d"), Content("two@d")]
        assert [answer.reply.text for answer in found] == ["delivered one@d", "delivered two@d"]


def test_bdat_in_several_chunks():
    client, session = start()
    client.send(Mail("a@b"))
    client.send(Rcpt("c@d"))
    connect(client, session)
    client.send(Bdat(b"one\n.", is_last=False))
    client.send(Bdat(b"\ntwo", is_last=True))
    assert codes(connect(client, session)) == [250, 250]
    assert session.messages == [b"one\n.\ntwo\n"]
    assert not client.needs_reset


def test_a_refused_last_chunk_leaves_the_transaction_open():
    """The whole message in one write, and no recipient was taken: without RSET the next MAIL would be refused, and bounced."""
    client = greeted(b"PIPELINING CHUNKING")
    client.send(Mail("a@b"))
    client.send(Rcpt("c@d"))
    client.send(Bdat(b"x\n", is_last=True))
    client.receive(b"250 ok\r\n550 who\r\n503 no recipients\r\n")
    assert codes(answers(client)) == [250, 550, 503]
    assert client.is_idle and client.needs_reset
    client.send(Rset())
    assert not client.needs_reset


def test_auth_and_starttls():
    client, session = start()
    client.send(StartTls())
    assert codes(connect(client, session)) == [220]
    session.engine.upgraded()
    client.upgraded()
    client.send(Helo("me", is_esmtp=True))
    connect(client, session)
    assert not client.extensions.starttls and client.extensions.auth == ("PLAIN", "LOGIN")
    client.send(Auth("PLAIN", None))
    assert codes(connect(client, session)) == [334]
    with pytest.raises(OutOfOrder):
        client.send(Mail("a@b"))
    client.send(AuthResponse(b"\0user\0pass"))
    assert codes(connect(client, session)) == [235]


def test_starttls_takes_no_replies_sent_before_it():
    client = greeted(b"STARTTLS")
    client.send(StartTls())
    client.receive(b"220 go\r\n250 injected\r\n")
    with pytest.raises(BadReply):
        answers(client)


def test_421_is_a_reply_like_others_and_the_last_word_when_nothing_was_asked():
    client = greeted(b"PIPELINING")
    client.send(Mail("a@b"))
    client.send(Rcpt("c@d"))
    client.send(Data())
    client.receive(b"250 ok\r\n421 shutting down\r\n503 no recipients\r\n")
    assert [(answer.reply.code, answer.is_sent) for answer in answers(client)] == [
        (250, True),
        (421, True),
        (503, True),
    ]
    assert client.is_leaving and not client.is_closed
    idle = greeted()
    idle.receive(b"421 4.4.2 timeout\r\n")
    assert answers(idle) == [Answer(Unasked(), Reply(421, "timeout", "4.4.2"))]
    assert idle.is_closed
    idle.send(Quit())
    assert answers(idle) == [Answer(Quit(), Reply(421, "timeout", "4.4.2"), is_sent=False)]


def test_a_refusing_banner():
    client = ClientEngine()
    client.send(Helo("me", is_esmtp=True))
    client.receive(b"554 no service\r\n")
    found = answers(client)
    assert [(type(a.command), a.is_sent) for a in found] == [(Connect, True), (Helo, False)]
    client.send(Quit())
    assert client.outgoing() == b"QUIT\r\n"


def test_helo_after_a_refused_ehlo():
    client = ClientEngine()
    client.send(Helo("me", is_esmtp=True))
    client.receive(b"220 x\r\n500 what?\r\n")
    assert codes(answers(client)) == [220, 500]
    client.send(Helo("me", is_esmtp=False))
    assert client.outgoing().endswith(b"HELO me\r\n")
    client.receive(b"250 SIZE 5\r\n")
    answers(client)
    assert client.extensions == Extensions()
    client.send(Mail("a@b", size=5))
    assert client.outgoing() == b"MAIL FROM:<a@b>\r\n"


def test_order_is_kept():
    client = greeted()
    for command in (Rcpt("a@b"), Data(), Bdat(b"", is_last=True), AuthResponse(b"")):
        with pytest.raises(OutOfOrder):
            client.send(command)
    with pytest.raises(OutOfOrder):
        client.write(b"x")
    client.send(Mail("a@b"))
    with pytest.raises(OutOfOrder):
        client.send(Mail("a@b"))
    with pytest.raises(OutOfOrder):
        ClientEngine().send(Mail("a@b"))


@pytest.mark.parametrize(
    "command",
    [
        Mail("a@b\r\nRCPT TO:<x@y>"),
        Mail("a@b> SIZE=1"),
        Mail("a b@c"),
        Mail(""),
        Rcpt("a@b\n"),
        Rcpt("a\0@b"),
        Rcpt("jö@b"),
        Rcpt("a@b", orcpt="rfc822;a b"),
        Helo("a\tb", is_esmtp=True),
        Helo("a\r\nb", is_esmtp=True),
        Vrfy("a\r\nb"),
        Auth("PLAIN\r\n", None),
    ],
)
def test_arguments_cannot_break_out(command: Mail):
    with pytest.raises(ValueError):
        render_command(command, Extensions(dsn=True))


def test_parameters_only_where_offered():
    mail = Mail("jö@b", 7, "8BITMIME", True, "FULL", "x+2B", "a=b@c")
    rcpt = Rcpt("c@d", ("NEVER",), "rfc822;c@d")
    assert render_command(mail, OFFER) == (
        "MAIL FROM:<jö@b> SIZE=7 BODY=8BITMIME SMTPUTF8 RET=FULL ENVID=x+2B AUTH=a+3Db@c\r\n".encode()
    )
    assert render_command(rcpt, OFFER) == b"RCPT TO:<c@d> NOTIFY=NEVER ORCPT=rfc822;c@d\r\n"
    bare = Mail("a@b", 7, "8BITMIME", True, "FULL", "x+2B", "a=b@c")
    forced = b"MAIL FROM:<a@b> AUTH=a+3Db@c\r\n"
    assert render_command(bare, Extensions()) == forced, (
        "authenticated_sender_force asks for it without the offer"
    )
    assert render_command(rcpt, Extensions()) == b"RCPT TO:<c@d>\r\n"


def test_extensions_survive_the_wire():
    offer = Extensions(pipelining=True, size=0, auth=("PLAIN",), limits=(("RCPTMAX", 5),), others=("XFOO a",))
    lines = render_extensions(offer).decode().split("\r\n")[:-1]
    assert parse_extensions("\n".join(["hello", *(line[4:] for line in lines)])) == offer
    assert parse_extensions("hello\nAUTH=LOGIN\nauth PLAIN login\nsize x").auth == ("LOGIN", "PLAIN")


@pytest.mark.parametrize(
    ("wire", "reply"),
    [
        (b"250 2.1.5 fine\r\n", Reply(250, "fine", "2.1.5")),
        (b"250-2.1.5 a\r\n250-b\r\n250 2.1.5 c\r\n", Reply(250, "a\nb\nc", "2.1.5")),
        (b"250 5.1.1 odd\r\n", Reply(250, "5.1.1 odd")),
        (b"354\r\n", Reply(354, "")),
        (b"550 a\0b\xff\n", Reply(550, "a?b\ufffd")),
    ],
)
def test_replies(wire: bytes, reply: Reply):
    parser = ReplyParser()
    parser.receive(wire)
    assert parser.next_reply() == reply and parser.is_empty


@pytest.mark.parametrize(
    "wire",
    [
        b"HTTP/1.1 200 OK\r\n",
        b"25x a\r\n",
        b"250-a\r\n251 b\r\n",
        b"100 a\r\n",
        b"2500\r\n",
        b"x" * 5000,
        b"250-a\r\n" * 300,
    ],
)
def test_bad_replies(wire: bytes):
    parser = ReplyParser()
    parser.receive(wire)
    with pytest.raises(BadReply):
        parser.next_reply()
