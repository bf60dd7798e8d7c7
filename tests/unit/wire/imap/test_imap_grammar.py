"""The pieces of grammar: names, sets, dates, flags, fetch items, search keys, options."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import TypeVar

import pytest

from pillarbox.wire.imap import search_keys as keys
from pillarbox.wire.imap.cursor import BadSyntax, Cursor
from pillarbox.wire.imap.dates import format_date_time, parse_date, parse_date_time
from pillarbox.wire.imap.fetch_items import Binary, BinarySize, Plain, Text, parse_fetch_items
from pillarbox.wire.imap.flags import format_flags, parse_flags
from pillarbox.wire.imap.limits import Limits
from pillarbox.wire.imap.mailbox_name import decode_name, encode_name
from pillarbox.wire.imap.options import parse_list_arguments
from pillarbox.wire.imap.search_keys import parse_search_keys
from pillarbox.wire.imap.sections import Partial
from pillarbox.wire.imap.sequence_set import SequenceSet, format_set, parse_sequence_set

T = TypeVar("T")


def read(parse: Callable[[Cursor], T], text: bytes, *, utf8: bool = False) -> T:
    cursor = Cursor([text], Limits())
    cursor.accepts_utf8 = cursor.names_are_utf8 = utf8
    value = parse(cursor)
    cursor.end()
    return value


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("INBOX", b"INBOX"),
        ("Entwürfe & Co", b"Entw&APw-rfe &- Co"),
        ("~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),  # RFC 3501 §5.1.3
        ("☺!", b"&Jjo-!"),
        ("😀", b"&2D3eAA-"),
    ],
)
def test_modified_utf7(name: str, wire: bytes) -> None:
    assert encode_name(name, is_utf8=False) == wire
    assert decode_name(wire, is_utf8=False) == name


@pytest.mark.parametrize(
    "wire", [b"&Jjo!", b"&U,BTFw-&ZeVnLIqe-", b"&AGE-", b"&2D0-", b"\xc3\xbc", b"a\x01", b"&!!-", b"&A-"]
)
def test_names_have_one_encoding(wire: bytes) -> None:
    with pytest.raises(BadSyntax):
        decode_name(wire, is_utf8=False)


def test_utf8_names_after_enable() -> None:
    assert decode_name("Entwürfe &-".encode(), is_utf8=True) == "Entwürfe &-"
    assert decode_name(b"inbox/x", is_utf8=True) == "INBOX/x"


def test_strings() -> None:
    assert read(Cursor.astring, rb'"a \"b\" \\"') == rb'a "b" \\'[:-1]
    assert read(Cursor.nstring, b"nil") is None
    assert read(Cursor.astring, '"ü"'.encode(), utf8=True) == "ü".encode()
    for wrong in ('"ü"'.encode(), b'"a', b'"a\\b"', b"(", b"{5}", b'"a\0"'):
        with pytest.raises(BadSyntax):
            read(Cursor.astring, wrong)


def test_sequence_sets() -> None:
    assert read(parse_sequence_set, b"2,4:7,12:*,9") == SequenceSet(((2, 2), (4, 7), (12, 0), (9, 9)))
    assert read(parse_sequence_set, b"2,4:7,12:*,9").resolve(15) == [(2, 2), (4, 7), (9, 9), (12, 15)]
    assert read(parse_sequence_set, b"*:4,5:7").resolve(15) == [(4, 15)]
    assert read(parse_sequence_set, b"559:*").resolve(558) == [(558, 559)]
    assert read(parse_sequence_set, b"$").is_saved_result
    for wrong in (b"0", b"1:", b"1,", b"1:2:3", b"4294967296", b"a", b"", b"1:0"):
        with pytest.raises(BadSyntax):
            read(parse_sequence_set, wrong)


def test_sets_are_written_short() -> None:
    assert format_set([1, 2, 3, 7, 9, 10]) == b"1:3,7,9:10"
    assert format_set([]) == b""
    assert format_set([5]) == b"5"


def test_dates() -> None:
    assert read(parse_date, b"1-Feb-1994") == datetime.date(1994, 2, 1)
    assert read(parse_date, b'"01-feb-1994"') == datetime.date(1994, 2, 1)
    assert read(parse_date_time, b'"17-Jul-1996 02:44:25 -0700"') == 837596665.0
    assert read(parse_date_time, b'" 7-Jul-1996 02:44:25 +0000"') == 836707465.0
    assert format_date_time(837596665.0) == b'"17-Jul-1996 09:44:25 +0000"'
    assert format_date_time(1e300).startswith(b'" 1-Jan-1970')
    for wrong in (b"31-Feb-1994", b"1-Foo-1994", b"Feb", b'"1-Feb-1994'):
        with pytest.raises(BadSyntax):
            read(parse_date, wrong)
    with pytest.raises(BadSyntax):
        read(parse_date_time, b'"17-Jul-1996 02:44:25 +9999"')


def test_flags() -> None:
    assert read(parse_flags, rb"(\SEEN $Junk)") == {"\\Seen", "$Junk"}
    assert read(parse_flags, b"()") == frozenset()
    assert read(parse_flags, rb"\Seen \Draft") == {"\\Seen", "\\Draft"}
    for wrong in (rb"(\Recent)", rb"(\*)", b"(a)b", b"", b"(" + b"x " * 200 + b"x)"):
        with pytest.raises(BadSyntax):
            read(parse_flags, wrong)
    assert format_flags(["\\Seen", "b\r\nad"]) == rb"(\Seen)"


def test_fetch_items() -> None:
    assert read(parse_fetch_items, b"fast") == (Plain("FLAGS"), Plain("INTERNALDATE"), Plain("RFC822.SIZE"))
    (text,) = read(parse_fetch_items, b'BODY.PEEK[1.2.HEADER.FIELDS (From "X-Y")]<10.20>')
    assert isinstance(text, Text)
    assert text.label == b"BODY[1.2.HEADER.FIELDS (From X-Y)]<10>"
    assert (text.section.part, text.section.text, text.section.fields) == (
        (1, 2),
        "HEADER.FIELDS",
        (b"from", b"x-y"),
    )
    assert (text.partial, text.sets_seen) == (Partial(10, 20), False)
    binary, size = read(parse_fetch_items, b"(BINARY[1] BINARY.SIZE[1.2])")
    assert isinstance(binary, Binary) and binary.sets_seen
    assert isinstance(size, BinarySize)


@pytest.mark.parametrize(
    "wrong",
    [
        b"BODY[",
        b"BODY[MIME]",
        b"BODY[1.]",
        b"BODY[0]",
        b"BODY[1.X]",
        b"BODY[]<1>",
        b"BODY[]<1.0>",
        b"FOO",
        b"()",
        b"BODY[HEADER.FIELDS ()]",
        b"BODY[HEADER.FIELDS (a:b)]",
        b"BINARY[1.MIME]",
        b"(FLAGS",
        b"FLAGS[1]",
        b"BODY[" + b"1." * 200 + b"1]",
    ],
)
def test_wrong_fetch_items(wrong: bytes) -> None:
    with pytest.raises(BadSyntax):
        read(parse_fetch_items, wrong)


def test_search_keys() -> None:
    key = read(parse_search_keys, b'OR (SEEN NOT FLAGGED) FROM "x" SINCE 1-Feb-1994 2:4 UID 7 KEYWORD $a')
    assert key == keys.Both(
        (
            keys.Either(
                keys.Both((keys.Flagged("\\Seen", True), keys.Not(keys.Flagged("\\Flagged", True)))),
                keys.HeaderText(b"from", b"x"),
            ),
            keys.Dated("internal", "since", datetime.date(1994, 2, 1)),
            keys.Numbered(SequenceSet(((2, 4),)), by_uid=False),
            keys.Numbered(SequenceSet(((7, 7),)), by_uid=True),
            keys.Flagged("$a", True),
        )
    )
    assert read(parse_search_keys, b'MODSEQ "/flags/\\\\draft" all 620162338') == keys.ChangedSince(620162338)


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"FOO",
        b"NOT",
        b"OR SEEN",
        b"(SEEN",
        b"FROM",
        b"LARGER x",
        b"SEEN  SEEN",
        b"OLDER 0",
        b"( SEEN)",
        b"NOT " * 1000 + b"SEEN",
        b"(" * 1000 + b"SEEN" + b")" * 1000,
        b"SEEN" + b" SEEN" * 5000,
    ],
)
def test_wrong_search_keys(wrong: bytes) -> None:
    with pytest.raises(BadSyntax):
        read(parse_search_keys, wrong)


def test_list_arguments() -> None:
    plain = read(parse_list_arguments, b' "" *')
    assert (plain.reference, plain.patterns, plain.is_extended) == ("", ("*",), False)
    extended = read(
        parse_list_arguments,
        b' (SUBSCRIBED RECURSIVEMATCH) "" ("A/%" B) RETURN (CHILDREN STATUS (MESSAGES UNSEEN))',
    )
    assert extended.selection == {"SUBSCRIBED", "RECURSIVEMATCH"}
    assert extended.patterns == ("A/%", "B")
    assert extended.status_items == ("MESSAGES", "UNSEEN")
    for wrong in (b' (RECURSIVEMATCH) "" *', b' (FOO) "" *', b' "" * RETURN (FOO)', b' "" * FOO', b' ""'):
        with pytest.raises(BadSyntax):
            read(parse_list_arguments, wrong)
