"""Records of the fast lane's journal: length-prefixed, checksummed, bound to one use of their segment.

A record is believed only when its checksum is right and it has the segment's key: a torn tail fails the first test, what is left
of a recycled segment's former content fails the second. The key is 64 random bits drawn for each use, so that no message can hold
bytes that pass for a record; for the same reason the records behind a damaged one can be found again by searching.

A message is (envelope, headers, body); the other kinds name a message and say that it has come further. Groups of records begin on
sector borders, so that writing one group never rewrites a sector of another that is durable already.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from enum import IntEnum

import msgspec

from pillarbox.mail.envelope import Envelope
from pillarbox.mail.progress import Event
from pillarbox.mail.taint import encodable
from pillarbox.wire.exim.message_id import LENGTH

SECTOR = 512
_CHECKSUM = struct.Struct("<I")
_FIELDS = struct.Struct("<QIIIB3x")  # key, lengths of facts, headers, body; kind
HEAD_SIZE = _CHECKSUM.size + _FIELDS.size
_KEY = struct.Struct("<Q")
_LARGEST = 1 << 30
_SEARCH = 1 << 20

_encode_facts = msgspec.msgpack.Encoder(enc_hook=encodable).encode
_decode_envelope = msgspec.msgpack.Decoder(Envelope).decode
_decode_events = msgspec.msgpack.Decoder(list[Event]).decode


class Kind(IntEnum):
    """What a record says about its message."""

    MESSAGE = 1
    EVENTS = 2
    DONE = 3
    """Settled and durable elsewhere, or never answered 250: forget it."""
    MOVED = 4
    """Its -H and -D files are durable and rule from now on."""


_KINDS = frozenset(Kind)


class Record(msgspec.Struct, frozen=True):
    """One record as read back. `headers` and `body` of a MESSAGE."""

    kind: Kind
    facts: bytes
    headers: bytes = b""
    body: bytes = b""

    @property
    def message_id(self) -> str:
        if self.kind is Kind.MESSAGE:
            return self.envelope().id
        return self.facts[:LENGTH].decode("ascii").rstrip()

    def envelope(self) -> Envelope:
        return _decode_envelope(self.facts)

    def events(self) -> list[Event]:
        return _decode_events(self.facts[LENGTH:])


class Parts(msgspec.Struct, frozen=True, gc=False):
    """A record on its way to the disk; the key is known when it gets its place."""

    kind: Kind
    facts: bytes
    headers: bytes = b""
    body: bytes = b""

    @property
    def size(self) -> int:
        return HEAD_SIZE + len(self.facts) + len(self.headers) + len(self.body)

    def lay_down(self, key: int, into: list[bytes]) -> None:
        """Append the record's pieces, without copying headers and body."""
        facts, headers, body = self.facts, self.headers, self.body
        fields = _FIELDS.pack(key, len(facts), len(headers), len(body), self.kind)
        checksum = zlib.crc32(facts, zlib.crc32(fields))
        if self.kind is Kind.MESSAGE:
            checksum = zlib.crc32(body, zlib.crc32(headers, checksum))
        into += (_CHECKSUM.pack(checksum), fields, facts, headers, body)


def message_parts(envelope: Envelope, headers: bytes, body: bytes) -> Parts:
    """Raises UnicodeEncodeError for text that is no Unicode (lone surrogates)."""
    return Parts(Kind.MESSAGE, _encode_facts(envelope), headers, body)


def events_parts(message_id: str, events: list[Event]) -> Parts:
    return Parts(Kind.EVENTS, _named(message_id) + _encode_facts(events))


def mark_parts(kind: Kind, message_id: str) -> Parts:
    """DONE and MOVED."""
    return Parts(kind, _named(message_id))


def _named(message_id: str) -> bytes:
    """An old id, which is shorter, has blanks behind it."""
    return message_id.encode("ascii").ljust(LENGTH)


def align(position: int) -> int:
    """The next sector border at or behind `position`."""
    return -(-position // SECTOR) * SECTOR


def read_records(
    read: Callable[[int, int], bytes], start: int, end: int, key: int
) -> Iterator[tuple[int, Record]]:
    """(position, record) of everything whole from `start` on, in order. `read(size, position)`."""
    position: int | None = start
    while position is not None:
        record = _read_record(read, position, end, key)
        if record is None:
            position = _find_record(read, position + 1, end, key)
        else:
            yield position, record
            position += HEAD_SIZE + len(record.facts) + len(record.headers) + len(record.body)


def _find_record(read: Callable[[int, int], bytes], position: int, end: int, key: int) -> int | None:
    """Where the next record may begin: there is padding before each group, and perhaps damage."""
    wanted = _KEY.pack(key)
    position += _CHECKSUM.size
    while position < end:
        chunk = read(min(_SEARCH, end - position), position)
        found = chunk.find(wanted)
        if found >= 0:
            return position + found - _CHECKSUM.size
        if len(chunk) < len(wanted):
            return None
        position += len(chunk) - len(wanted) + 1
    return None


def _read_record(read: Callable[[int, int], bytes], position: int, end: int, key: int) -> Record | None:
    head = read(HEAD_SIZE, position)
    if len(head) < HEAD_SIZE:
        return None
    found_key, facts, headers, body, kind = _FIELDS.unpack_from(head, _CHECKSUM.size)
    length = facts + headers + body
    if found_key != key or length > _LARGEST or position + HEAD_SIZE + length > end:
        return None
    content = read(length, position + HEAD_SIZE)
    checksum = zlib.crc32(content, zlib.crc32(head[_CHECKSUM.size :]))
    if len(content) < length or (checksum,) != _CHECKSUM.unpack_from(head) or kind not in _KINDS:
        return None
    return Record(Kind(kind), content[:facts], content[facts : facts + headers], content[facts + headers :])
