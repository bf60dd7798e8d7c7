"""Framing: commands, literals, and everything that is too large."""

from __future__ import annotations

import pytest

from pillarbox.wire.imap.engine import ServerEngine
from pillarbox.wire.imap.events import NEED_DATA, Command, Event, Fatal, Line, Refused
from pillarbox.wire.imap.limits import Limits

SMALL = Limits(
    line=200,
    line_before_login=100,
    literals=50,
    literals_before_login=20,
    message=1000,
    append=1500,
    discarded=500,
)


def events(engine: ServerEngine, data: bytes) -> list[Event]:
    engine.receive(data)
    found: list[Event] = []
    while (event := engine.next_event()) is not NEED_DATA:
        found.append(event)
    return found


def one(engine: ServerEngine, data: bytes) -> Event:
    (event,) = events(engine, data)
    return event


@pytest.fixture
def engine() -> ServerEngine:
    engine = ServerEngine(SMALL)
    engine.is_authenticated = True
    return engine


def test_splits_tag_and_name(engine: ServerEngine) -> None:
    event = one(engine, b"a.1 noop\r\n")
    assert isinstance(event, Command)
    assert (event.tag, event.name, event.by_uid) == ("a.1", "NOOP", False)
    event.arguments.end()


def test_uid_is_a_prefix(engine: ServerEngine) -> None:
    event = one(engine, b"a uid fetch 1 FLAGS\r\n")
    assert isinstance(event, Command)
    assert (event.name, event.by_uid) == ("FETCH", True)


def test_bare_line_feed_ends_a_command_typed_by_hand(engine: ServerEngine) -> None:
    assert isinstance(one(engine, b"a noop\n"), Command)


def test_synchronising_literal_waits_for_consent(engine: ServerEngine) -> None:
    assert events(engine, b"a LOGIN {5}\r\n") == []
    assert engine.outgoing() == b"+ Ready for literal\r\n"
    event = one(engine, b"alice {6+}\r\nse{5}c\r\n")
    assert isinstance(event, Command)
    event.arguments.space()
    assert event.arguments.astring() == b"alice"
    event.arguments.space()
    assert event.arguments.astring() == b"se{5}c"
    assert engine.outgoing() == b""


def test_consent_comes_only_when_earlier_commands_were_taken(engine: ServerEngine) -> None:
    engine.receive(b"a NOOP\r\nb LOGIN {1}\r\n")
    assert isinstance(engine.next_event(), Command)
    assert engine.outgoing() == b""
    assert engine.next_event() is NEED_DATA
    assert engine.outgoing().startswith(b"+")


def test_empty_literal(engine: ServerEngine) -> None:
    event = one(engine, b"a SELECT {0+}\r\n\r\n")
    assert isinstance(event, Command)
    event.arguments.space()
    assert event.arguments.astring() == b""


def test_four_gigabytes_are_refused_unread(engine: ServerEngine) -> None:
    assert one(engine, b"a APPEND INBOX {4294967296}\r\n") == Refused(
        "a", "NO", "[TOOBIG] Messages may have 1000 bytes"
    )
    assert engine.outgoing() == b""
    assert isinstance(one(engine, b"b NOOP\r\n"), Command)


def test_four_gigabytes_without_asking_end_the_connection(engine: ServerEngine) -> None:
    assert isinstance(one(engine, b"a APPEND INBOX {4294967296+}\r\n"), Fatal)
    assert events(engine, b"b NOOP\r\n") == []


def test_a_number_beyond_counting_is_refused(engine: ServerEngine) -> None:
    assert isinstance(one(engine, b"a APPEND INBOX {99999999999999999999}\r\n"), Refused)


def test_refused_literal_without_asking_is_thrown_away(engine: ServerEngine) -> None:
    data = b"a SELECT {60+}\r\n" + b"x" * 60 + b"\r\nb NOOP\r\n"
    refused, command = events(engine, data)
    assert refused == Refused("a", "BAD", "[TOOBIG] Literal too large")
    assert isinstance(command, Command)


def test_literals_share_one_bound(engine: ServerEngine) -> None:
    data = b"a SEARCH TEXT {40+}\r\n" + b"x" * 40 + b" TEXT {40+}\r\n" + b"y" * 40 + b"\r\n"
    assert isinstance(one(engine, data), Refused)


def test_messages_share_one_bound(engine: ServerEngine) -> None:
    engine.receive(b"a APPEND INBOX {900+}\r\n" + b"x" * 900)
    assert one(engine, b" {900}\r\n") == Refused("a", "NO", "[TOOBIG] Literal too large")


def test_before_login_there_is_little_room() -> None:
    engine = ServerEngine(SMALL)
    assert isinstance(one(engine, b"a LOGIN {21}\r\n"), Refused)
    assert isinstance(one(engine, b"a APPEND INBOX {900}\r\n"), Refused)


def test_endless_line_is_not_kept(engine: ServerEngine) -> None:
    assert events(engine, b"a " + b"x" * 300) == []
    assert len(engine._buffer) <= 201
    assert one(engine, b"\r\n") == Refused("a", "BAD", "[TOOBIG] Command line too long")
    assert isinstance(one(engine, b"b NOOP\r\n"), Command)


def test_endless_line_ends_the_connection(engine: ServerEngine) -> None:
    assert isinstance(one(engine, b"x" * 5000), Fatal)


def test_garbage_has_no_tag(engine: ServerEngine) -> None:
    for garbage in (b"*", b"+ NOOP", b"\xff\xfe", b"a", b"a  NOOP", b"\0\0\0"):
        assert isinstance(one(engine, garbage + b"\r\n"), Refused), garbage


def test_empty_lines_are_passed_over(engine: ServerEngine) -> None:
    assert events(engine, b"\r\n\r\n") == []


def test_expected_line(engine: ServerEngine) -> None:
    engine.expect_line()
    line, command = events(engine, b"DONE\r\nb NOOP\r\n")
    assert line == Line(b"DONE")
    assert isinstance(command, Command)


def test_plaintext_behind_starttls_is_forgotten(engine: ServerEngine) -> None:
    engine.receive(b"a STARTTLS\r\nb LOGIN evil evil\r\n")
    engine.next_event()
    engine.upgrade()
    assert engine.next_event() is NEED_DATA


def test_message_is_not_copied_into_lines(engine: ServerEngine) -> None:
    message = b"x" * 1000
    event = one(engine, b"a APPEND INBOX {1000+}\r\n" + message + b"\r\n")
    assert isinstance(event, Command)
    event.arguments.space()
    event.arguments.astring()
    event.arguments.space()
    assert event.arguments.literal() == message
