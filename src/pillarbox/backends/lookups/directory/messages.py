"""LDAP's requests and responses (RFC 4511 §4)."""

from __future__ import annotations

import asyncio

import msgspec

from pillarbox.backends.lookups.directory.ber import (
    BOOLEAN,
    ENUMERATED,
    SEQUENCE,
    BerError,
    elements,
    encode,
    encode_number,
    encode_text,
    number,
    read,
    text_of,
)

_BIND, _SEARCH, _EXTENDED = 0x60, 0x63, 0x77
BIND_DONE, ENTRY, DONE, REFERENCE, EXTENDED_DONE = 0x61, 0x64, 0x65, 0x73, 0x78
UNBIND = encode(SEQUENCE, encode_number(0) + b"\x42\x00")
START_TLS = "1.3.6.1.4.1.1466.20037"
MOST_BYTES = 16 * 1024 * 1024
"""Of one message."""
SUCCESS, SIZE_LIMIT, REFERRAL, NO_SUCH_OBJECT, INVALID_DN, INVALID_CREDENTIALS = 0, 4, 10, 32, 34, 49


class Entry(msgspec.Struct, frozen=True):
    dn: str
    attributes: tuple[tuple[str, tuple[str, ...]], ...]
    """In the server's order."""


class Outcome(msgspec.Struct, frozen=True):
    """How an operation ended."""

    code: int
    matched: str = ""
    message: str = ""
    referrals: tuple[str, ...] = ()


class Search(msgspec.Struct, frozen=True):
    base: str
    scope: int
    encoded_filter: bytes
    attributes: tuple[str, ...]
    dereference: int
    size: int
    time: int


def bind_request(message_id: int, version: int, user: str, password: str) -> bytes:
    content = encode_number(version) + encode_text(user) + encode_text(password, 0x80)
    return _message(message_id, encode(_BIND, content))


def search_request(message_id: int, search: Search) -> bytes:
    content = (
        encode_text(search.base)
        + encode_number(search.scope, ENUMERATED)
        + encode_number(search.dereference, ENUMERATED)
        + encode_number(search.size)
        + encode_number(search.time)
        + encode(BOOLEAN, b"\0")
        + search.encoded_filter
        + encode(SEQUENCE, b"".join(map(encode_text, search.attributes)))
    )
    return _message(message_id, encode(_SEARCH, content))


def start_tls_request(message_id: int) -> bytes:
    return _message(message_id, encode(_EXTENDED, encode_text(START_TLS, 0x80)))


def _message(message_id: int, operation: bytes) -> bytes:
    return encode(SEQUENCE, encode_number(message_id) + operation)


async def read_response(reader: asyncio.StreamReader) -> tuple[int, int, bytes]:
    """(message id, kind, content). Raises asyncio.IncompleteReadError, BerError."""
    head = await reader.readexactly(2)
    if head[0] != SEQUENCE:
        raise BerError("not an LDAP message")
    length = head[1]
    if length & 0x80:
        size = length & 0x7F
        if not 0 < size <= 4:
            raise BerError("length of unknown form")
        length = int.from_bytes(await reader.readexactly(size), "big")
    if length > MOST_BYTES:
        raise BerError("message is too large")
    content = await reader.readexactly(length)
    _, message_id, offset = read(content)
    kind, operation, _ = read(content, offset)
    return number(message_id), kind, operation


def read_entry(content: bytes) -> Entry:
    """Raises BerError."""
    _, dn, offset = read(content)
    _, listed, _ = read(content, offset)
    attributes = []
    for _, attribute in elements(listed):
        _, name, after = read(attribute)
        _, values, _ = read(attribute, after)
        attributes.append((text_of(name), tuple([text_of(value) for _, value in elements(values)])))
    return Entry(text_of(dn), tuple(attributes))


def read_outcome(content: bytes) -> Outcome:
    """Raises BerError."""
    _, code, offset = read(content)
    _, matched, offset = read(content, offset)
    _, message, offset = read(content, offset)
    referrals: tuple[str, ...] = ()
    if offset < len(content):
        tag, urls, _ = read(content, offset)
        if tag == 0xA3:
            referrals = read_urls(urls)
    return Outcome(number(code), text_of(matched), text_of(message), referrals)


def read_urls(content: bytes) -> tuple[str, ...]:
    return tuple([text_of(url) for _, url in elements(content)])
