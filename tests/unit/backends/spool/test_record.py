"""Journal records: what is damaged, torn or left over is never taken for mail."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox.backends.spool.record import (
    SECTOR,
    Kind,
    Record,
    align,
    mark_parts,
    message_parts,
    read_records,
)
from pillarbox.mail.envelope import Envelope, Origin, Recipient

KEY = 0x1122334455667788
ENVELOPE = Envelope(
    id="1xVBlU-000000002vd-3Fbs",
    sender=None,
    recipients=(Recipient("ü@x", ("NEVER",), "rfc822;y"),),
    origin=Origin(helo="h", host_address="::1"),
    received_at=1.5,
    acl_variables=(("acl_m0", "a\nb"),),
)


def journal(key: int = KEY) -> bytes:
    """Two groups: two messages; a mark and a message."""
    groups = [
        [message_parts(ENVELOPE, b"A: 1\n", b"x" * 700), message_parts(ENVELOPE, b"B: 2\n", b"")],
        [mark_parts(Kind.DONE, ENVELOPE.id), message_parts(ENVELOPE, b"C: 3\n", b"y" * 10)],
    ]
    data = bytes(SECTOR)
    for group in groups:
        pieces: list[bytes] = [bytes(align(len(data)) - len(data))]
        for parts in group:
            parts.lay_down(key, pieces)
        data += b"".join(pieces)
    return data + bytes(SECTOR)


def read(data: bytes, key: int = KEY) -> list[Record]:
    return [
        record for _, record in read_records(lambda size, at: data[at : at + size], SECTOR, len(data), key)
    ]


def test_records_come_back_in_order() -> None:
    records = read(journal())
    assert [record.kind for record in records] == [Kind.MESSAGE, Kind.MESSAGE, Kind.DONE, Kind.MESSAGE]
    assert (records[0].envelope(), records[0].headers, records[0].body) == (ENVELOPE, b"A: 1\n", b"x" * 700)
    assert [record.message_id for record in records] == [ENVELOPE.id] * 4


def test_other_key_counts_for_nothing() -> None:
    assert read(journal(KEY + 1)) == []


@given(st.integers(SECTOR, len(journal()) - 1), st.integers(0, 255))
@settings(max_examples=300, deadline=None)
def test_one_wrong_byte_costs_one_record_at_most(position: int, value: int) -> None:
    good = journal()
    data = bytearray(good)
    data[position] = value
    found, expected = read(bytes(data)), read(good)
    assert [record for record in expected if record in found] == found
    assert len(found) >= len(expected) - 1


@given(st.integers(SECTOR, len(journal())))
@settings(max_examples=100, deadline=None)
def test_torn_tail_gives_the_records_before_it(cut: int) -> None:
    good = journal()
    found = read(good[:cut] + bytes(len(good) - cut))
    assert found == read(good)[: len(found)]


@given(st.binary(max_size=2000))
@settings(max_examples=100, deadline=None)
def test_garbage_is_no_record(data: bytes) -> None:
    assert read(bytes(SECTOR) + data) == []
