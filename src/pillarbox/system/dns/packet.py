"""DNS packets: encode a question, decode the answer to it.

Only what mail asks for (`ports.dns.RecordType`), so that an answer costs microseconds, where a general library's object tree
costs hundreds. A packet is hostile until proved otherwise: compression pointers must point back, every length is checked, and
anything odd is a `PacketError`, never another exception.

RFC 1035 §4.1 (format), §4.1.4 (compression), RFC 2308 (negative answers), RFC 6891 (EDNS0), RFC 6840 §5.7 (AD in queries).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from ipaddress import IPv6Address
from socket import inet_ntoa

import msgspec

from pillarbox.ports.dns import Record, RecordType

TYPE_CODES: dict[RecordType, int] = {
    "A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "TLSA": 52,
    "SPF": 99,
}  # fmt: skip
RCODE_NAMES = {1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
NOERROR, FORMERR, NXDOMAIN = 0, 1, 3
UDP_PAYLOAD = 1232
"""What we say we take by UDP: not fragmented on any sane path (DNS flag day 2020)."""

_NS, _CNAME, _SOA, _IN = 2, 5, 6, 1
_AUTHORITATIVE = 0x0400
_RECURSION_DESIRED_AND_AD = 0x0120
_HEADER = struct.Struct("!6H")
_FIXED = struct.Struct("!HHIH")
_SHORT = struct.Struct("!H")
_SRV = struct.Struct("!3H")
_SOA_NUMBERS = struct.Struct("!5I")
_OPT = b"\0" + _FIXED.pack(41, UDP_PAYLOAD, 0, 0)
_PLAIN_NAME = re.compile(rb"[A-Za-z0-9_.-]*")
_PLAIN_LABEL = re.compile(rb"[A-Za-z0-9_-]+")
_MAX_ALIASES = 10


class PacketError(ValueError):
    """Not a well-formed answer; `str()` says why."""


class AliasLoop(PacketError):
    """The CNAMEs in the packet lead in a circle, or too far."""


class NameError(ValueError):
    """Not a name that the DNS can hold."""


class Response(msgspec.Struct, frozen=True, gc=False):
    """What one packet says about one question."""

    rcode: int
    is_authentic: bool
    """The AD bit."""
    records: tuple[Record, ...]
    name: str
    """Where the CNAMEs in the packet lead to; the name asked for when there are none."""
    ttl: int
    """Least TTL of what led here; without records the negative TTL of RFC 2308 §5, 0 when there was no SOA."""
    authority: str = ""
    """The zone that an authoritative answer (AA) says it is from: the first owner of NS records behind it, of SOA where it has no records."""


def encode_question(name: str, kind: RecordType) -> bytes:
    """The question section for a name in lower case. Raises NameError."""
    try:
        encoded = name.encode("ascii")
    except UnicodeEncodeError:
        raise NameError(f"{name!r} is not ASCII") from None
    labels = encoded.split(b".")
    if len(encoded) > 253 or not all(0 < len(label) < 64 for label in labels):
        raise NameError(f"{name!r} is not a domain name")
    wire = b"".join(bytes((len(label),)) + label for label in labels)
    return wire + b"\0" + struct.pack("!HH", TYPE_CODES[kind], _IN)


def encode_query(query_id: int, question: bytes, *, edns: bool = True) -> bytes:
    """A whole query: recursion desired, AD wanted, one question."""
    header = _HEADER.pack(query_id, _RECURSION_DESIRED_AND_AD, 1, 0, 0, 1 if edns else 0)
    return header + question + (_OPT if edns else b"")


def answers_question(packet: bytes, question: bytes) -> bool:
    """Whether the packet is a response that repeats our question (RFC 5452 §9.1); bytes 0 and 1, the id, are the caller's."""
    if len(packet) < 12 + len(question) or not packet[2] & 0x80 or packet[4:6] != b"\0\1":
        return False
    asked = packet[12 : 12 + len(question)]
    return asked == question or asked.lower() == question.lower()


def is_truncated(packet: bytes) -> bool:
    """The TC bit: ask again over TCP; what came may end in the middle of a record."""
    return bool(packet[2] & 0x02)


def decode(
    packet: bytes, question: bytes, name: str, kind: RecordType, *, keeps_authority: bool = False
) -> Response:
    """Read the answer to `question`, which was for `name` (lower case) and `kind`. Raises PacketError."""
    try:
        return _decode(packet, question, name, TYPE_CODES[kind], keeps_authority=keeps_authority)
    except (IndexError, struct.error):
        raise PacketError("packet ends too early") from None


def _decode(packet: bytes, question: bytes, name: str, wanted: int, *, keeps_authority: bool) -> Response:
    _, flags, _, answer_count, authority_count, _ = _HEADER.unpack_from(packet)
    reader = _Reader(packet, 12 + len(question), name)
    aliases, found = reader.read_answers(answer_count, wanted)
    final, ttl = _follow(name, aliases)
    records = found.get(final, ())
    authority = ""
    if keeps_authority and flags & _AUTHORITATIVE:
        authority = reader.find_owner(authority_count, _NS if answer_count else _SOA)
    if not records:
        ttl = reader.read_negative_ttl(authority_count)
    else:
        ttl = min(ttl, min(each for _, each in records))
    return Response(
        flags & 15,
        bool(flags & 0x0020),
        tuple([record for record, _ in records]),
        final,
        ttl,
        authority,
    )


def _follow(name: str, aliases: dict[str, tuple[str, int]]) -> tuple[str, int]:
    ttl = 0x7FFFFFFF
    for _ in range(_MAX_ALIASES):
        target = aliases.get(name)
        if target is None:
            return name, ttl
        name, ttl = target[0], min(ttl, target[1])
    raise AliasLoop("CNAME chain is too long")


class _Reader:
    """Walks through the records of one packet."""

    __slots__ = ("names", "offset", "packet")

    def __init__(self, packet: bytes, offset: int, asked: str) -> None:
        self.packet = packet
        self.offset = offset
        self.names = {12: asked}
        """Names already read by offset: most records point to the question or to one another."""

    def read_answers(
        self, count: int, wanted: int
    ) -> tuple[dict[str, tuple[str, int]], dict[str, list[tuple[Record, int]]]]:
        aliases: dict[str, tuple[str, int]] = {}
        found: dict[str, list[tuple[Record, int]]] = {}
        read_data = _READERS[wanted]
        for _ in range(count):
            owner, kind, ttl, start, end = self.read_record()
            if kind == wanted:
                found.setdefault(owner, []).append((read_data(self, start, end), ttl))
            elif kind == _CNAME:
                aliases[owner] = (self.read_name(start)[0], ttl)
        return aliases, found

    def read_negative_ttl(self, count: int) -> int:
        """The lesser of the SOA's own TTL and its MINIMUM (RFC 2308 §5)."""
        for _ in range(count):
            _, kind, ttl, start, end = self.read_record()
            if kind == _SOA:
                if end - start < 22:
                    raise PacketError("SOA is too short")
                minimum: int = _SOA_NUMBERS.unpack_from(self.packet, end - 20)[4]
                return min(ttl, minimum)
        return 0

    def find_owner(self, count: int, wanted: int) -> str:
        """Of the first record of that type among the next ones, which stay unread; empty: there is none."""
        offset = self.offset
        try:
            for _ in range(count):
                owner, kind, *_ = self.read_record()
                if kind == wanted:
                    return owner
        finally:
            self.offset = offset
        return ""

    def read_record(self) -> tuple[str, int, int, int, int]:
        """(owner, type, ttl, start of the data, end of the data); type 0 for classes other than IN."""
        owner, offset = self.read_name(self.offset)
        kind, record_class, ttl, length = _FIXED.unpack_from(self.packet, offset)
        start = offset + 10
        self.offset = end = start + length
        if end > len(self.packet):
            raise PacketError("record ends behind the packet")
        if ttl > 0x7FFFFFFF:  # RFC 2181 §8
            ttl = 0
        return owner, (kind if record_class == _IN else 0), ttl, start, end

    def read_name(self, offset: int) -> tuple[str, int]:
        """(name in lower case, offset behind it). Pointers must lead back, so this ends."""
        packet, begin, run = self.packet, offset, offset
        labels: list[bytes] = []
        after, total, suffix = -1, 0, None
        while length := packet[offset]:
            if length >= 0xC0:
                target = (length & 0x3F) << 8 | packet[offset + 1]
                if target >= run:
                    raise PacketError("compression pointer does not lead back")
                if after < 0:
                    after = offset + 2
                suffix = self.names.get(target)
                if suffix is not None:
                    break
                run = offset = target
                continue
            if length > 63:
                raise PacketError("label of unknown type")
            label = packet[offset + 1 : offset + 1 + length]
            offset += 1 + length
            total += 1 + length
            if total > 254 or len(label) != length:
                raise PacketError("name is too long")
            labels.append(label)
        name = _join(labels, suffix)
        if len(name) > 1024:  # escapes take four characters a byte
            raise PacketError("name is too long")
        self.names[begin] = name
        return name, (offset + 1 if after < 0 else after)


def _join(labels: list[bytes], suffix: str | None) -> str:
    if not labels:
        return suffix or ""
    joined = b".".join(labels)
    if _PLAIN_NAME.fullmatch(joined) and joined.count(b".") == len(labels) - 1:
        name = joined.decode("ascii").lower()
    else:
        name = ".".join([_escape(label) for label in labels])
    return f"{name}.{suffix}" if suffix else name


def _escape(label: bytes) -> str:
    """Presentation form (RFC 1035 §5.1): what is not letter, digit, `-` or `_` as `\\DDD`, so that names are safe in logs."""
    if _PLAIN_LABEL.fullmatch(label):
        return label.decode("ascii").lower()
    return "".join(chr(c).lower() if _PLAIN_LABEL.fullmatch(bytes((c,))) else f"\\{c:03d}" for c in label)


def _read_a(reader: _Reader, start: int, end: int) -> Record:
    if end - start != 4:
        raise PacketError("A record is not 4 bytes long")
    return Record(inet_ntoa(reader.packet[start:end]))


def _read_aaaa(reader: _Reader, start: int, end: int) -> Record:
    if end - start != 16:
        raise PacketError("AAAA record is not 16 bytes long")
    return Record(str(IPv6Address(reader.packet[start:end])))


def _read_mx(reader: _Reader, start: int, end: int) -> Record:
    preference: int = _SHORT.unpack_from(reader.packet, start)[0]
    return Record(_read_target(reader, start + 2, end), preference=preference)


def _read_target(reader: _Reader, start: int, end: int) -> str:
    name, after = reader.read_name(start)
    if after != end:
        raise PacketError("name does not fill its record")
    return name


def _read_one_name(reader: _Reader, start: int, end: int) -> Record:
    return Record(_read_target(reader, start, end))


def _read_txt(reader: _Reader, start: int, end: int) -> Record:
    packet, strings = reader.packet, []
    while start < end:
        after = start + 1 + packet[start]
        if after > end:
            raise PacketError("TXT string ends behind its record")
        strings.append(packet[start + 1 : after])
        start = after
    raw = b"".join(strings)
    return Record(raw.decode("utf-8", "replace"), raw=raw, strings=tuple(strings) if len(strings) > 1 else ())


def _read_srv(reader: _Reader, start: int, end: int) -> Record:
    priority, weight, port = _SRV.unpack_from(reader.packet, start)
    target = _read_target(reader, start + 6, end)
    return Record(target, preference=priority, weight=weight, port=port)


def _read_soa(reader: _Reader, start: int, end: int) -> Record:
    primary, offset = reader.read_name(start)
    mailbox, offset = reader.read_name(offset)
    if offset + 20 != end:
        raise PacketError("SOA has the wrong length")
    numbers = " ".join(map(str, _SOA_NUMBERS.unpack_from(reader.packet, offset)))
    return Record(f"{primary} {mailbox} {numbers}")


def _read_tlsa(reader: _Reader, start: int, end: int) -> Record:
    if end - start < 4:
        raise PacketError("TLSA record is too short")
    usage, selector, matching = reader.packet[start : start + 3]
    raw = reader.packet[start + 3 : end]
    return Record(f"{usage} {selector} {matching} {raw.hex()}", raw=raw)


_READERS: dict[int, Callable[[_Reader, int, int], Record]] = {
    1: _read_a, 2: _read_one_name, 5: _read_one_name, 6: _read_soa, 12: _read_one_name,
    15: _read_mx, 16: _read_txt, 28: _read_aaaa, 33: _read_srv, 52: _read_tlsa,
    99: _read_txt,
}  # fmt: skip
