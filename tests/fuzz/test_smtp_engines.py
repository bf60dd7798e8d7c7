"""Any chopping of the input gives the same events; what one engine sends the other receives; nothing can be smuggled."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.wire.smtp.scripted import LMTP, OFFER, SETTINGS, ScriptedSession, connect, start

from pillarbox.mail.reply import Reply
from pillarbox.wire.smtp.commands import Bdat
from pillarbox.wire.smtp.data_writer import DataWriter
from pillarbox.wire.smtp.events import Data, DataChunk, DataEnd, DataRefused, Mail, Rcpt
from pillarbox.wire.smtp.grammar import BadSyntax, read_path
from pillarbox.wire.smtp.replies import BadReply, ReplyParser, render_reply
from pillarbox.wire.smtp.session import ServerSettings

LAX = ServerSettings(
    offer=OFFER, enforce_sync=False, nonmail_max=-1, synprot_errors_max=99, unknown_commands_max=99
)
NO_LINE_LIMIT = msgspec.structs.replace(LAX, line_max=0)
FEW = settings(max_examples=150, deadline=None)

COMMANDS = st.sampled_from(
    [
        b"EHLO x\r\n", b"HELO x\r\n", b"MAIL FROM:<a@b>\r\n", b"MAIL FROM:<refused@b>\r\n", b"RCPT TO:<c@d>\r\n",
        b"RCPT TO:<nodata@d>\r\n", b"RCPT TO:<refused@d>\r\n", b"DATA\r\n", b"BDAT 3\r\nabc", b"BDAT 3\r\na\r\n",
        b"BDAT 4\r\n..\r\n", b"BDAT 4 LAST\r\na\r\nb", b"BDAT 2 LAST\r\n\nb", b"BDAT 0\r\n", b"BDAT 1 LAST\r\n\r",
        b"BDAT x\r\n", b"RSET\r\n", b"NOOP\r\n", b"NOOP\n", b"FOO\r\n", b"AUTH PLAIN\r\n", b"AUTH PLAIN AHVzZXIAcGFzcw==\r\n",
        b"*\r\n", b"AHVzZXIAcGFzcw==\r\n", b"VRFY x\r\n", b"hello\r\n", b".hello\r\n", b"..\r\n", b".\r\n", b".\n", b"\r\n", b"\n",
        b"\r", b"a\nb\r\n", b"a\rb\r\n", b"x" * 1200, b"z" * 5000, b"NOOP " + b"y" * 4200, b"QUIT\r\n", b"\0", b"\xff\r\n",
    ]
)  # fmt: skip
CONTENT = st.lists(
    st.one_of(
        st.sampled_from([b"\n", b".", b"..", b"\n.", b"\n.\n", b"a", b"\n\n", b"x" * 40]),
        st.binary(max_size=8),
    )
).map(lambda parts: b"".join(parts).replace(b"\r", b""))


def chop(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def flow(pieces: list[bytes], options: ServerSettings = LAX) -> tuple[list[object], bytes, list[bytes]]:
    """Events (message data put together), output and messages."""
    session = ScriptedSession(options)
    out = session.greet() + b"".join(session.feed(piece) for piece in pieces)
    events: list[object] = []
    for event in session.events:
        if isinstance(event, DataEnd):
            events.append(("message", event.size))
        elif not isinstance(event, DataChunk):
            events.append(event)
    return events, out, session.messages


@FEW
@given(st.lists(COMMANDS, max_size=25), st.lists(st.integers(0, 5000), max_size=12))
def test_any_chopping_gives_the_same(parts: list[bytes], cuts: list[int]):
    data = b"EHLO x\r\nMAIL FROM:<a@b>\r\n" + b"".join(parts)
    for options in (LAX, NO_LINE_LIMIT):
        assert flow([data], options) == flow(chop(data, cuts), options)


@settings(max_examples=40, deadline=None)
@given(st.lists(COMMANDS, max_size=12))
def test_byte_for_byte_gives_the_same(parts: list[bytes]):
    data = b"EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n" + b"".join(parts)
    assert flow([data]) == flow([bytes([byte]) for byte in data])


@FEW
@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=6))
def test_garbage_raises_nothing(data: bytes, cuts: list[int]):
    session = ScriptedSession(SETTINGS)
    session.greet()
    for piece in chop(data, cuts):
        session.feed(piece)


@FEW
@given(CONTENT, st.lists(st.integers(0, 200), max_size=4), st.sampled_from(["DATA", "BDAT"]), st.booleans())
def test_the_engines_understand_each_other(text: bytes, cuts: list[int], way: str, lmtp: bool):
    client, session = start(LMTP if lmtp else SETTINGS)
    client.send(Mail("a@b"))
    client.send(Rcpt("c@d"))
    chunks = chop(text, cuts)
    if way == "DATA":
        client.send(Data())
        connect(client, session)
        for chunk in chunks:
            client.write(chunk)
        client.end()
    else:
        connect(client, session)
        for chunk in chunks:
            client.send(Bdat(chunk, is_last=False))
        client.send(Bdat(b"", is_last=True))
    assert all(answer.reply.code == 250 for answer in connect(client, session))
    assert session.messages == [text if text.endswith(b"\n") or not text else text + b"\n"]


ENDS = [b"".join(parts) for n in (2, 3, 4, 5) for parts in itertools.product((b"\r", b"\n", b"."), repeat=n)]


@pytest.mark.parametrize("piecewise", [False, True])
def test_no_other_end_of_data_smuggles_a_message(piecewise: bool):
    """Every sequence of up to five CR, LF and dots but CRLF.CRLF, followed by commands."""
    tried = 0
    for end in ENDS:
        data = (
            b"Subject: x\r\n\r\nbody"
            + end
            + b"MAIL FROM:<evil@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nsmuggled\r\n.\r\n"
        )
        if b"\r\n.\r\n" in b"body" + end:
            continue
        session = ScriptedSession(LAX)
        session.greet()
        session.feed(b"EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n")
        for piece in [bytes([byte]) for byte in data] if piecewise else [data]:
            session.feed(piece)
        assert Mail("evil@b") not in session.events, end
        stripped = end.replace(b"\r\n", b"")
        is_bare = b"\r" in stripped or b"\n" in stripped
        assert len(session.messages) == (0 if is_bare else 1), end
        assert any(isinstance(event, DataRefused) for event in session.events) == is_bare, end
        tried += 1
    assert tried > 300


@FEW
@given(st.lists(st.binary(max_size=12) | st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"\n."]), max_size=10))
def test_the_writer_never_writes_a_bare_line_end(chunks: list[bytes]):
    writer = DataWriter(is_dotted=True)
    wire = b"".join(writer.encode(chunk) for chunk in chunks) + writer.end()
    rest = wire.replace(b"\r\n", b"")
    assert b"\r" not in rest and b"\n" not in rest
    assert (b"\r\n" + wire).find(b"\r\n.\r\n") == len(wire) - 3


@FEW
@given(st.text(max_size=60))
def test_addresses_raise_nothing_else(text: str):
    for utf8 in (False, True):
        try:
            address = read_path(text, utf8)
        except BadSyntax:
            continue
        assert not set(address) & set("\r\n\0")
        assert utf8 or address.isascii()


@FEW
@given(st.integers(200, 599), st.text(max_size=40), st.sampled_from(["", "2.1.5", "4.0.0", "5.1.1"]))
def test_replies_survive_the_wire(code: int, text: str, enhanced: str):
    parser = ReplyParser()
    parser.receive(render_reply(Reply(code, text, enhanced)))
    reply = parser.next_reply()
    assert reply is not None and reply.code == code and parser.is_empty


@FEW
@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5))
def test_reply_parser_raises_only_its_own(data: bytes, cuts: list[int]):
    def read(pieces: list[bytes]) -> list[Reply | str]:
        parser, found = ReplyParser(), []
        try:
            for piece in pieces:
                parser.receive(piece)
                while (reply := parser.next_reply()) is not None:
                    found.append(reply)
        except BadReply as error:
            found.append(str(error))
        return found

    assert read([data]) == read(chop(data, cuts))
