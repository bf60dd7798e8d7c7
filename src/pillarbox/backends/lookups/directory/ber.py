"""BER as LDAP uses it: definite lengths, tags of one byte (X.690; RFC 4511 §5.1)."""

from __future__ import annotations

from collections.abc import Iterator

INTEGER, OCTETS, ENUMERATED, BOOLEAN, SEQUENCE = 0x02, 0x04, 0x0A, 0x01, 0x30


class BerError(ValueError):
    """Not what it should be."""


def encode(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size, "big") + content


def encode_number(value: int, tag: int = INTEGER) -> bytes:
    return encode(tag, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def encode_text(text: str, tag: int = OCTETS) -> bytes:
    return encode(tag, text.encode("utf-8", "surrogateescape"))


def text_of(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def read(data: bytes, offset: int = 0) -> tuple[int, bytes, int]:
    """(tag, content, offset behind it). Raises BerError."""
    if offset + 2 > len(data):
        raise BerError("element ends too early")
    tag, length = data[offset], data[offset + 1]
    start = offset + 2
    if length & 0x80:
        size = length & 0x7F
        if not 0 < size <= 4:
            raise BerError("length of unknown form")
        length = int.from_bytes(data[start : start + size], "big")
        start += size
    end = start + length
    if end > len(data):
        raise BerError("element ends behind its container")
    return tag, data[start:end], end


def elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """What a constructed element holds. Raises BerError."""
    offset = 0
    while offset < len(data):
        tag, content, offset = read(data, offset)
        yield tag, content


def number(content: bytes) -> int:
    return int.from_bytes(content, "big", signed=True)
