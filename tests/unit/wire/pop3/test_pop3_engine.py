"""The POP3 engine: limits, order, framing, and the same events however the input is chopped."""

from __future__ import annotations

import poplib
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox.wire.pop3.engine import Limits, Offer, ServerEngine, capabilities
from pillarbox.wire.pop3.message import pieces, top
from pillarbox.wire.pop3.verbs import Command, Event, Rejected, SaslResponse, State


def events(engine: ServerEngine, *data: bytes) -> list[Event]:
    found = []
    for piece in data:
        engine.receive(piece)
        while (event := engine.next_event()) is not None:
            found.append(event)
    return found


def engine(state: State = State.TRANSACTION) -> ServerEngine:
    made = ServerEngine(Limits(command=40, sasl=80))
    made.state = state
    return made


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"retr 1", Command("RETR", numbers=(1,))),
        (b"TOP 12 0", Command("TOP", numbers=(12, 0))),
        (b"TOP  12   7 ", Command("TOP", numbers=(12, 7))),
        (b"LIST", Command("LIST")),
        (b"LIST 3 ", Command("LIST", numbers=(3,))),
        (b"UIDL 04", Command("UIDL", numbers=(4,))),
    ],
)
def test_commands(line: bytes, expected: Command) -> None:
    assert events(engine(), line + b"\r\n") == [expected]
    assert events(engine(), line + b"\n") == [expected]


@pytest.mark.parametrize(
    "line",
    [
        *(b"RETR", b"RETR 0", b"RETR x", b"RETR -1", b"RETR 1 2", b"TOP 1", b"RETR 99999999999999"),
        *(b"STAT now", b"", b" ", b"XYZZY", b"USER me", b"STLS"),
        *(b"LIST \xd9\xa3", b"NOOP\0", b"NOOP\rNOOP", b"\xff\xfe"),
    ],
)
def test_refused_in_transaction(line: bytes) -> None:
    (event,) = events(engine(), line + b"\r\n")
    assert isinstance(event, Rejected)


@pytest.mark.parametrize("line", [b"STAT", b"RETR 1", b"QUIT now", b"USER", b"USER ", b"AUTH A B C"])
def test_refused_in_authorization(line: bytes) -> None:
    (event,) = events(engine(State.AUTHORIZATION), line + b"\r\n")
    assert isinstance(event, Rejected)


def test_password_keeps_its_spaces() -> None:
    (event,) = events(engine(State.AUTHORIZATION), b"PASS  two words \r\n")
    assert event == Command("PASS", " two words ")


def test_long_lines_are_refused_once_and_skipped() -> None:
    made = engine()
    found = events(made, *[b"x" * 30] * 1000, b"\r\nNOOP\r\n")
    assert found == [Rejected("The line is too long"), Command("NOOP")]
    assert len(made._buffer) == 0


def test_endless_line_takes_no_memory() -> None:
    made = engine()
    for _ in range(1000):
        events(made, b"y" * 1000)
        assert len(made._buffer) <= 1000


def test_sasl_response_is_taken_as_it_is() -> None:
    made = engine(State.AUTHORIZATION)
    made.challenge(b"abc=")
    assert made.outgoing() == b"+ abc=\r\n"
    assert events(made, b"QUIT\r\n", b"QUIT\r\n") == [SaslResponse(b"QUIT"), Command("QUIT")]
    made.challenge(b"")
    assert events(made, b"*\r\n") == [SaslResponse(b"*", is_cancelled=True)]
    made.challenge(b"")
    assert events(made, b"x" * 70 + b"\r\n") == [SaslResponse(b"x" * 70)]
    made.challenge(b"")
    assert events(made, b"x" * 90 + b"\r\nNOOP\r\n")[0] == Rejected("The line is too long")


def test_upgrade_forgets_what_was_sent_ahead() -> None:
    made = engine(State.AUTHORIZATION)
    made.receive(b"STLS\r\nUSER evil\r\nPA")
    assert made.next_event() == Command("STLS")
    made.upgrade()
    assert made.next_event() is None
    assert events(made, b"CAPA\r\n") == [Command("CAPA")]


def test_answers_stay_on_one_line() -> None:
    made = engine()
    made.err("bad\r\n+OK thing", "SYS/TEMP")
    made.ok()
    made.ok("x" * 1000)
    lines = made.outgoing().split(b"\r\n")
    assert lines[:2] == [b"-ERR [SYS/TEMP] bad +OK thing", b"+OK"]
    assert len(lines[2]) + 2 <= 512


def test_capabilities() -> None:
    assert "USER" not in capabilities(Offer(can_use_passwords=False, can_start_tls=True))
    offered = capabilities(Offer(can_use_passwords=True, can_start_tls=False, mechanisms=("PLAIN",)))
    assert {"USER", "SASL PLAIN", "TOP", "UIDL", "PIPELINING", "RESP-CODES"} <= set(offered)
    assert "STLS" not in offered


lines = st.sampled_from(
    [
        b"NOOP",
        b"RETR 1",
        b"TOP 1 2",
        b"x" * 39,
        b"x" * 40,
        b"x" * 41,
        b"x" * 42,
        b"y" * 200,
        b"",
        b"\r",
        b"a\0",
    ]
) | st.binary(max_size=60)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(lines, st.sampled_from([b"\r\n", b"\n"]))), st.data())
def test_chopping_changes_nothing(script: list[tuple[bytes, bytes]], data: st.DataObject) -> None:
    whole = b"".join(line + end for line, end in script)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)))))
    chopped = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert events(engine(), *chopped) == events(engine(), whole)


def unstuff(sent: bytes) -> bytes:
    """By the standard library's client, which is not ours."""
    client = poplib.POP3.__new__(poplib.POP3)
    client.file = BytesIO(b"+OK\r\n" + sent)  # type: ignore[attr-defined]
    client._debugging = 0  # type: ignore[attr-defined]
    _, received, _ = client._getlongresp()  # type: ignore[attr-defined]
    assert client.file.read() == b"", "nothing may follow the final dot"  # type: ignore[attr-defined]
    return b"".join(line + b"\r\n" for line in received)


texts = st.lists(st.sampled_from([b".", b"..", b"\r\n", b"\r\n.\r\n", b"a", b"\xff", b"bc" * 20])).map(
    b"".join
)


@settings(max_examples=300, deadline=None)
@given(texts, st.integers(2, 12))
def test_stuffed_in_any_pieces_comes_back(content: bytes, size: int) -> None:
    sent = b"".join(pieces(content, size))
    expected = content if not content or content.endswith(b"\r\n") else content + b"\r\n"
    assert unstuff(sent) == expected


def test_pieces_are_bounded() -> None:
    assert max(map(len, pieces(b"x" * 1_000_000, 1000))) <= 1001
    assert max(map(len, pieces(b"line\r\n" * 10_000, 1000))) <= 1000


@pytest.mark.parametrize(
    ("content", "lines", "expected"),
    [
        (b"A: b\r\n\r\n1\r\n2\r\n3\r\n", 0, b"A: b\r\n\r\n"),
        (b"A: b\r\n\r\n1\r\n2\r\n3\r\n", 2, b"A: b\r\n\r\n1\r\n2\r\n"),
        (b"A: b\r\n\r\n1\r\n2", 2, b"A: b\r\n\r\n1\r\n2"),
        (b"A: b\r\n\r\n1\r\n2", 1, b"A: b\r\n\r\n1\r\n"),
        (b"A: b\r\n\r\n1\r\n", 9999999999, b"A: b\r\n\r\n1\r\n"),
        (b"\r\n1\r\n2\r\n", 1, b"\r\n1\r\n"),
        (b"A: only header\r\n", 0, b"A: only header\r\n"),
        (b"", 5, b""),
    ],
)
def test_top(content: bytes, lines: int, expected: bytes) -> None:
    assert top(content, lines) == expected
