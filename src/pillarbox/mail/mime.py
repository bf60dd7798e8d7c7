"""The MIME structure of a message, as offsets into its bytes (RFC 2045, RFC 2046).

`scan` reads a message with CRLF line ends and says where every part's header and body lie; nothing is decoded or copied. One scanner
serves BODYSTRUCTURE, BODY[…], BINARY and SEARCH, so that what is shown and what is searched cannot differ.

Outer boundaries win over inner ones (RFC 2046 §5.1.2). What is malformed becomes an opaque part, never an error. Depth and number of
parts are bounded: what is nested deeper is one part of its declared kind with nothing inside.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote_to_bytes

import msgspec

MAXIMUM_DEPTH = 64
MAXIMUM_PARTS = 2_000
_CANDIDATES = 10 * MAXIMUM_PARTS
"""Lines that begin like a delimiter and are looked at more closely."""
_LONGEST_FIELD = 8_192
_CACHED_FIELD = 120

Parameters = tuple[tuple[bytes, bytes], ...]

_TYPE = re.compile(
    rb"[ \t]*([!#$%&'*+.0-9A-Z^_`a-z{|}~-]+)[ \t]*/[ \t]*([!#$%&'*+.0-9A-Z^_`a-z{|}~-]+)[ \t]*"
)
_TOKEN = re.compile(rb"[ \t]*([!#$%&'*+.0-9A-Z^_`a-z{|}~-]+)[ \t]*")
_PARAMETER = re.compile(
    rb";[ \t;]*([!#$%&'*+.0-9A-Z^_`a-z{|}~-]+)[ \t]*=[ \t]*"
    rb'(?:"((?:[^"\\]|\\.)*)"?|([^; \t"()]+))?[^;]*',
    re.DOTALL,
)
_LANGUAGE = re.compile(rb"[A-Za-z0-9-]+")
_QUOTED_PAIR = re.compile(rb"\\(.)", re.DOTALL)
_COMMENT = re.compile(rb"\([^()]*\)")
_LINE_END = re.compile(rb"\r?\n")


class ContentType(msgspec.Struct, frozen=True, gc=False):
    """`type` and `subtype` in lower case, parameter names in lower case, values as they were, unquoted."""

    type: bytes
    subtype: bytes
    parameters: Parameters = ()

    def parameter(self, name: bytes) -> bytes | None:
        """The value of `name`, or of `name*` with its encoding taken off (RFC 2231 §4)."""
        for key, value in self.parameters:
            if key == name:
                return value
            if key == name + b"*":
                return unquote_to_bytes(value.rpartition(b"'")[2])
        return None


class Disposition(msgspec.Struct, frozen=True, gc=False):
    """RFC 2183: `attachment; filename=x`. `kind` in lower case."""

    kind: bytes
    parameters: Parameters = ()


class Part(msgspec.Struct, frozen=True, gc=False):
    """One entity. Offsets are into the message; `header_start ≤ body_start ≤ end`; the blank line belongs to the header."""

    header_start: int
    body_start: int
    end: int
    content_type: ContentType
    encoding: bytes = b"7bit"
    """Content-Transfer-Encoding in lower case."""
    content_id: bytes | None = None
    description: bytes | None = None
    disposition: Disposition | None = None
    languages: tuple[bytes, ...] = ()
    location: bytes | None = None
    md5: bytes | None = None
    lines: int = 0
    """Line ends in the body; counted for text and message/rfc822 only, where BODYSTRUCTURE wants them."""
    parts: tuple[Part, ...] = ()
    """Of a multipart."""
    message: Part | None = None
    """Of message/rfc822: the message inside."""

    @property
    def is_multipart(self) -> bool:
        return bool(self.parts)


PLAIN_TEXT = ContentType(b"text", b"plain", ((b"charset", b"us-ascii"),))
_MESSAGE = ContentType(b"message", b"rfc822")
_OPAQUE = ContentType(b"application", b"octet-stream")
_EMBEDDED = (b"rfc822", b"global")


def scan(data: bytes) -> Part:
    """The structure of the whole message. Never raises; about 4 µs for a small plain message."""
    return _Scan(data).entity(0, len(data), PLAIN_TEXT, 0)


class _Scan:
    """One run over one message, counting its parts."""

    __slots__ = ("_count", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._count = 0

    def entity(self, start: int, end: int, default: ContentType, depth: int) -> Part:
        self._count += 1
        body_start = _body_start(self._data, start, end)
        fields = _content_fields(self._data[start:body_start])
        content_type = _type_of(fields.get(b"type"), default)
        parts: tuple[Part, ...] = ()
        message: Part | None = None
        lines = 0
        kind = content_type.type
        if kind == b"text":
            lines = self._lines(body_start, end)
        elif kind == b"multipart":
            if depth < MAXIMUM_DEPTH:
                parts = self._multipart(content_type, body_start, end, depth)
            if not parts:
                content_type = _OPAQUE if depth else PLAIN_TEXT
                lines = 0 if depth else self._lines(body_start, end)
        elif kind == b"message" and content_type.subtype in _EMBEDDED:
            if depth < MAXIMUM_DEPTH and self._count < MAXIMUM_PARTS:
                lines = self._lines(body_start, end)
                message = self.entity(body_start, end, PLAIN_TEXT, depth + 1)
            else:
                content_type = _OPAQUE
        if not fields and message is None:
            return Part(start, body_start, end, content_type, lines=lines)
        return _part((start, body_start, end), content_type, fields, lines, parts, message)

    def _lines(self, start: int, end: int) -> int:
        return self._data.count(b"\n", start, end)

    def _multipart(self, content_type: ContentType, start: int, end: int, depth: int) -> tuple[Part, ...]:
        """The parts between the delimiter lines; none when there is no boundary or no delimiter."""
        boundary = (content_type.parameter(b"boundary") or b"").rstrip(b" ")
        if not boundary or len(boundary) > 1000:
            return ()
        default = _MESSAGE if content_type.subtype == b"digest" else PLAIN_TEXT
        parts: list[Part] = []
        part_start = -1
        for line_start, next_start, is_last in self._delimiters(b"--" + boundary, start, end):
            if part_start >= 0:
                parts.append(self.entity(part_start, max(part_start, line_start), default, depth + 1))
            part_start = -1 if is_last else next_start
            if is_last or self._count >= MAXIMUM_PARTS:
                break
        if part_start >= 0 and (self._count < MAXIMUM_PARTS or not parts):
            parts.append(self.entity(part_start, end, default, depth + 1))
        return tuple(parts)

    def _delimiters(self, delimiter: bytes, start: int, end: int) -> list[tuple[int, int, bool]]:
        """(where the line end before it starts, where the next line starts, whether it closes) of each delimiter line.

        At most as many as there may be parts.
        """
        data, size = self._data, len(delimiter)
        found: list[tuple[int, int, bool]] = []
        at = start if data.startswith(delimiter, start, end) else _behind_newline(data, delimiter, start, end)
        for _ in range(_CANDIDATES):
            if at < 0:
                break
            line_end = data.find(b"\n", at + size, end)
            rest = data[at + size : min(end if line_end < 0 else line_end, at + size + 80)].rstrip(b" \t\r")
            if rest in (b"", b"--"):
                before = at - 2 if data[max(start, at - 2) : at] == b"\r\n" else max(start, at - 1)
                found.append((before, end if line_end < 0 else line_end + 1, rest == b"--"))
                if rest or len(found) > MAXIMUM_PARTS:
                    break
            at = _behind_newline(data, delimiter, at + size, end)
        return found


def _behind_newline(data: bytes, delimiter: bytes, start: int, end: int) -> int:
    return data.find(b"\n" + delimiter, start, end) + 1 or -1


def _body_start(data: bytes, start: int, end: int) -> int:
    """Behind the blank line that ends the header block starting at `start`."""
    if data.startswith((b"\n", b"\r\n"), start, end):  # no field at all
        return data.index(b"\n", start) + 1
    blank = data.find(b"\r\n\r\n", start, end)
    if blank >= 0:
        return blank + 4
    blank = data.find(b"\n\n", start, end)
    return blank + 2 if blank >= 0 else end


def _content_fields(header: bytes) -> dict[bytes, bytes]:
    """`Content-*` fields by the rest of their name in lower case, first one wins; values unfolded."""
    fields: dict[bytes, bytes] = {}
    lowered = b"\n" + header.lower()
    at = lowered.find(b"\ncontent-")
    while at >= 0:
        end = _field_end(header, at)
        name, colon, value = header[at + 8 : min(end, at + _LONGEST_FIELD)].partition(b":")
        if colon and len(name) < 40:
            if b"\n" in value:
                value = _LINE_END.sub(b"", value)
            fields.setdefault(name.rstrip(b" \t").lower(), value.strip(b" \t\r"))
        at = lowered.find(b"\ncontent-", end)
    return fields


def _field_end(header: bytes, at: int) -> int:
    """Behind the field starting at `at`, folded lines included."""
    while True:
        newline = header.find(b"\n", at)
        if newline < 0:
            return len(header)
        at = newline + 1
        if header[at : at + 1] not in (b" ", b"\t"):
            return at


def _type_of(value: bytes | None, default: ContentType) -> ContentType:
    if value is None:
        return default
    return _cached_type(value) if len(value) <= _CACHED_FIELD else parse_content_type(value)


def parse_content_type(value: bytes) -> ContentType:
    """An unfolded field value; text/plain when it cannot be read (RFC 2045 §5.2)."""
    found = _TYPE.match(value)
    if found is None:
        return PLAIN_TEXT
    parameters = _parameters(value, found.end())
    kind, subtype = found[1].lower(), found[2].lower()
    if kind == b"text" and not parameters and subtype == b"plain":
        return PLAIN_TEXT
    return ContentType(kind, subtype, parameters)


_cached_type = lru_cache(512)(parse_content_type)


def _parameters(value: bytes, at: int) -> Parameters:
    if at >= len(value):
        return ()
    if b"(" in value:
        at, value = 0, _without_comments(value[at:])
    found = []
    for match in _PARAMETER.finditer(value, at):
        quoted, token = match[2], match[3]
        if quoted is not None and b"\\" in quoted:
            quoted = _QUOTED_PAIR.sub(rb"\1", quoted)
        found.append((match[1].lower(), quoted if quoted is not None else token or b""))
    return tuple(found)


def _without_comments(value: bytes) -> bytes:
    """Comments removed where nothing is quoted: in quoted values parentheses are text."""
    pieces = value.split(b'"')
    if len(pieces) > 2:
        pieces[::2] = [_COMMENT.sub(b"", piece) for piece in pieces[::2]]
        return b'"'.join(pieces)
    return _COMMENT.sub(b"", value)


def _disposition(value: bytes | None) -> Disposition | None:
    found = _TOKEN.match(value) if value else None
    if found is None or value is None:
        return None
    return Disposition(found[1].lower(), _parameters(value, found.end()))


def _encoding(value: bytes | None) -> bytes:
    found = _TOKEN.match(value) if value else None
    return found[1].lower() if found is not None else b"7bit"


def _part(
    offsets: tuple[int, int, int],
    content_type: ContentType,
    fields: dict[bytes, bytes],
    lines: int,
    parts: tuple[Part, ...],
    message: Part | None,
) -> Part:
    get = fields.get
    start, body_start, end = offsets
    languages = get(b"language")
    return Part(
        start,
        body_start,
        end,
        content_type,
        _encoding(get(b"transfer-encoding")),
        get(b"id"),
        get(b"description"),
        _disposition(get(b"disposition")),
        tuple(_LANGUAGE.findall(languages)) if languages else (),
        get(b"location"),
        get(b"md5"),
        lines,
        parts,
        message,
    )
