"""Hostile DNS packets: an answer or a PacketError, never anything else; and agreement with dnspython on honest ones."""

from __future__ import annotations

import contextlib

import dns.message
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.dns_server import DnsServer

from pillarbox.ports.dns import Record
from pillarbox.system.dns.packet import TYPE_CODES, PacketError, decode, encode_question

ZONE = """
example.org MX 10 mx.example.org
example.org MX 20 mx2.example.net
example.org TXT "abc" "def"
example.org SOA ns.example.org host.example.org 1 2 3 4 5
example.org A 192.0.2.1
example.org AAAA 2001:db8::5
example.org SRV 1 2 3 mx.example.org
example.org TLSA 3 1 0 00ff
www.example.org CNAME example.org
"""
NAMES = ("example.org", "www.example.org", "none.example.org")
KINDS = tuple(TYPE_CODES)


def _packet(name: str, kind: str) -> bytes:
    packet = DnsServer(ZONE).answer(dns.message.make_query(name, kind).to_wire(), "udp")
    assert packet is not None
    return packet


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(NAMES),
    st.sampled_from(KINDS),
    st.lists(st.tuples(st.integers(12, 400), st.integers(0, 255)), max_size=6),
    st.integers(0, 400),
)
def test_mutated_packets(name: str, kind: str, changes: list[tuple[int, int]], length: int) -> None:
    packet = bytearray(_packet(name, kind))
    question = encode_question(name, kind)  # type: ignore[arg-type]
    for position, value in changes:
        packet[position % len(packet)] = value
    for hostile in (bytes(packet), bytes(packet[:length])):
        with contextlib.suppress(PacketError):
            decode(hostile, question, name, kind)  # type: ignore[arg-type]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(KINDS))
def test_random_tails(tail: bytes, kind: str) -> None:
    question = encode_question("example.org", kind)  # type: ignore[arg-type]
    packet = b"\0\0\x81\x80\0\1\0\3\0\1\0\0" + question + b"\xc0\x0c" + question[-4:] + tail
    with contextlib.suppress(PacketError):
        decode(packet, question, "example.org", kind)  # type: ignore[arg-type]


@pytest.mark.parametrize("owner", [b"\xc0\x1d", b"\xc0\xff", b"\x01a\xc0\x1d", b"\x41", b"\x3fabc", b"\xc0"])
def test_names_that_lead_nowhere(owner: bytes) -> None:
    """The question ends at byte 29 (0x1d): pointers to themselves, forward, unknown label types, cut off."""
    question = encode_question("example.org", "A")
    packet = b"\0\0\x81\x80\0\1\0\1\0\0\0\0" + question + owner
    with pytest.raises(PacketError):
        decode(packet + b"\0\1\0\1\0\0\0\1\0\4\1\2\3\4", question, "example.org", "A")


def test_a_long_chain_of_pointers_is_cheap_and_bounded() -> None:
    """Each name adds a label to the one before: the length limit ends it, not patience."""
    question = encode_question("example.org", "CNAME")
    packet = bytearray(b"\0\0\x81\x80\0\1\x03\xe8\0\0\0\0" + question)
    target = 12
    for _ in range(1000):
        here = len(packet)
        packet += (
            b"\x3f" + b"a" * 63 + bytes((0xC0 | target >> 8, target & 255)) + b"\0\5\0\1\0\0\0\1\0\2\xc0\x0c"
        )
        target = here if here < 0x3FFF else target
    with pytest.raises(PacketError):
        decode(bytes(packet), question, "example.org", "CNAME")


def test_control_characters_in_names_are_escaped() -> None:
    question = encode_question("example.org", "PTR")
    data = b"\x07a\nb.c\0d\x03org\0"
    packet = (
        b"\0\0\x81\x80\0\1\0\1\0\0\0\0"
        + question
        + b"\xc0\x0c\0\x0c\0\1\0\0\0\1\0"
        + bytes((len(data),))
        + data
    )
    assert decode(packet, question, "example.org", "PTR").records[0].data == "a\\010b\\046c\\000d.org"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_agrees_with_dnspython(name: str, kind: str) -> None:
    packet = _packet(name, kind)
    ours = decode(packet, encode_question(name, kind), name, kind)  # type: ignore[arg-type]
    chain = dns.message.from_wire(packet).resolve_chaining()
    assert len(ours.records) == (len(chain.answer) if chain.answer else 0)
    if chain.answer:
        assert ours.name == chain.canonical_name.to_text(omit_final_dot=True) or kind == "CNAME"
        assert ours.ttl == chain.minimum_ttl
        theirs = {rdata.to_text().replace('" "', "").strip('"').rstrip(".") for rdata in chain.answer}
        assert {_text(kind, record) for record in ours.records} == theirs


def _text(kind: str, record: Record) -> str:
    match kind:
        case "MX":
            return f"{record.preference} {record.data}"
        case "SRV":
            return f"{record.preference} {record.weight} {record.port} {record.data}"
        case "SOA":
            primary, mailbox, rest = record.data.split(" ", 2)
            return f"{primary}. {mailbox}. {rest}"
        case _:
            return record.data
