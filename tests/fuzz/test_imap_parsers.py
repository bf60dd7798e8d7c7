"""Property tests: any chopping gives the same events; no parser raises anything but BadSyntax; names and sets survive a round trip."""

from __future__ import annotations

import contextlib
import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox.mail.decoding import decode_words
from pillarbox.mail.mime import Part, scan
from pillarbox.mail.mime_addresses import parse_addresses
from pillarbox.mailbox.imap.command import load_commands
from pillarbox.mailbox.patterns import matches
from pillarbox.mailbox.search import Candidate
from pillarbox.ports.mailstore import Entry
from pillarbox.wire.imap.body_structure import format_structure
from pillarbox.wire.imap.cursor import BadSyntax, Cursor
from pillarbox.wire.imap.engine import ServerEngine
from pillarbox.wire.imap.envelope import format_envelope
from pillarbox.wire.imap.events import NEED_DATA, Command, Event
from pillarbox.wire.imap.limits import Limits
from pillarbox.wire.imap.mailbox_name import decode_name, encode_name
from pillarbox.wire.imap.sequence_set import format_set, parse_sequence_set

LIMITS = Limits(line=60, literals=30, message=40, append=60, discarded=120)

PIECES = st.sampled_from(
    [
        b"a NOOP",
        b"b LOGIN",
        b"c APPEND INBOX",
        b"uid",
        b" ",
        b"{3}",
        b"{5+}",
        b"{41}",
        b"{9999+}",
        b"~{2+}",
        b'"q"',
        b"(",
        b")",
        b"\r\n",
        b"\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"x" * 70,
        b"x" * 130,
        b"\x00",
        b"\xff",
        b"}",
        b"*",
        b"\\Seen",
        b"BODY[",
        b"]<0.1>",
    ]
)
STREAMS = st.lists(PIECES | st.binary(max_size=4), max_size=30).map(b"".join)


def shown(event: Event) -> object:
    if isinstance(event, Command):
        return event.tag, event.name, event.by_uid, event.arguments._fragments
    return event


def run(chunks: list[bytes]) -> tuple[list[object], bytes]:
    engine = ServerEngine(LIMITS)
    engine.is_authenticated = True
    seen: list[object] = []
    for chunk in chunks:
        engine.receive(chunk)
        while (event := engine.next_event()) is not NEED_DATA:
            seen.append(shown(event))
    return seen, engine.outgoing()


@settings(max_examples=300, deadline=None)
@given(STREAMS, st.lists(st.integers(0, 400), max_size=8))
def test_any_chopping_gives_the_same_events(stream: bytes, cuts: list[int]) -> None:
    whole = run([stream])
    assert run([stream[at : at + 1] for at in range(len(stream))]) == whole
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    assert run([stream[start:end] for start, end in itertools.pairwise(places)]) == whole


WORDS = st.sampled_from(
    b"1:* $ 2,4 FLAGS BODY[1.MIME] BODY[HEADER.FIELDS (a)] BODY[]<0.1> (UID FLAGS) FULL ALL OR NOT SEEN ( ) RETURN (MIN) CHARSET utf-8"
    b' +FLAGS.SILENT (\\Seen) FROM "x" HEADER SINCE 1-Feb-2026 INBOX "" * % (CHANGEDSINCE 1) NIL MODSEQ "17-Jul-1996 02:44:25 -0700"'.split(
        b" "
    )
)
ARGUMENTS = st.lists(WORDS | st.binary(max_size=5), max_size=8).map(b" ".join)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(load_commands())), st.booleans(), ARGUMENTS)
def test_arguments_are_read_or_refused(name: str, by_uid: bool, text: bytes) -> None:
    with contextlib.suppress(BadSyntax):
        load_commands()[name](Cursor([b" " + text, b"literal", b""], Limits()), "a", by_uid=by_uid)


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=30))
def test_names_survive(name: str) -> None:
    wanted = "INBOX" + name[5:] if name.partition("/")[0].upper() == "INBOX" else name
    for is_utf8 in (False, True):
        wire = encode_name(name, is_utf8=is_utf8)
        assert decode_name(wire, is_utf8=is_utf8) == wanted


@given(st.sets(st.integers(1, 50)))
def test_sets_survive(numbers: set[int]) -> None:
    text = format_set(sorted(numbers))
    if numbers:
        ranges = parse_sequence_set(Cursor([text], Limits())).resolve(50)
        assert {number for low, high in ranges for number in range(low, high + 1)} == numbers


def inside(part: Part, start: int, end: int) -> None:
    assert start <= part.header_start <= part.body_start <= part.end <= end
    for child in (*part.parts, *((part.message,) if part.message else ())):
        inside(child, part.body_start, part.end)


MIME_PIECES = st.sampled_from(
    [
        b"Content-Type: multipart/mixed; boundary=b\r\n",
        b"Content-Type: message/rfc822\r\n",
        b'content-type:text/plain;x="\\',
        b'Content-Disposition: a; b="c\r\n d"\r\n',
        b"\r\n",
        b"\r\n\r\n",
        b"--b",
        b"--b--",
        b"--b\r\n",
        b"\n",
        b"\r",
        b" x",
        b"--",
        b"To: a@b, (c\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"=?utf-8?b?w7w=?=",
        b"=?x?q?=?=",
    ]
)
MESSAGES = st.lists(MIME_PIECES | st.binary(max_size=3), max_size=25).map(b"".join)


@settings(max_examples=300, deadline=None)
@given(MESSAGES)
def test_any_message_has_a_structure(data: bytes) -> None:
    root = scan(data)
    inside(root, 0, len(data))
    for text in (format_structure(data, root, is_extended=True), format_envelope(data)):
        assert text.startswith(b"(") and text.endswith(b")")
    candidate = Candidate(0, Entry(1, 1, frozenset(), 0.0, len(data)), data)
    candidate.folded_text()
    candidate.folded_header()


@given(
    st.lists(
        st.sampled_from(
            [b"a", b"@", b"<", b">", b",", b":", b";", b"(", b")", b'"', b"\\", b" ", b".", b"[", b"]"]
        ),
        max_size=30,
    )
)
def test_any_address_field_is_read(tokens: list[bytes]) -> None:
    parse_addresses(b"".join(tokens))


@given(st.binary(max_size=60))
def test_any_words_are_decoded(value: bytes) -> None:
    decode_words(value)


def slow_matches(pattern: str, name: str) -> bool:
    if not pattern:
        return not name
    if pattern[0] in "*%":
        return slow_matches(pattern[1:], name) or bool(
            name and (pattern[0] == "*" or name[0] != "/") and slow_matches(pattern, name[1:])
        )
    return bool(name) and name[0] == pattern[0] and slow_matches(pattern[1:], name[1:])


@given(st.text("ab/*%", max_size=6), st.text("ab/", max_size=7))
def test_patterns_match_as_defined(pattern: str, name: str) -> None:
    assert matches(pattern, name) == slow_matches(pattern, name)
