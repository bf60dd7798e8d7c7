"""BODY and BODYSTRUCTURE: MIME structure as IMAP shows it (RFC 9051 §7.5.2 body)."""

from __future__ import annotations

from pillarbox.mail.mime import Disposition, Parameters, Part
from pillarbox.wire.imap.envelope import format_envelope
from pillarbox.wire.imap.writing import NIL, nstring, string


def format_structure(data: bytes, part: Part, *, is_extended: bool) -> bytes:
    """BODYSTRUCTURE when extended, else BODY. Recursion is bounded by the scanner's depth."""
    pieces: list[bytes] = []
    _write(data, part, is_extended, pieces)
    return b"".join(pieces)


def _write(data: bytes, part: Part, is_extended: bool, pieces: list[bytes]) -> None:
    kind = part.content_type
    if part.parts:
        pieces.append(b"(")
        for child in part.parts:
            _write(data, child, is_extended, pieces)
        pieces.append(b" " + string(kind.subtype.upper()))
        if is_extended:
            pieces.append(b" " + _parameters(kind.parameters) + _placement(part))
    else:
        pieces.append(_basic(part))
        if part.message is not None:
            header = data[part.message.header_start : part.message.body_start]
            pieces.append(b" " + format_envelope(header) + b" ")
            _write(data, part.message, is_extended, pieces)
            pieces.append(b" %d" % part.lines)
        elif kind.type == b"text":
            pieces.append(b" %d" % part.lines)
        if is_extended:
            pieces.append(b" " + nstring(part.md5) + _placement(part))
    pieces.append(b")")


def _basic(part: Part) -> bytes:
    """Type, subtype, parameters, id, description, encoding, size."""
    kind = part.content_type
    return b"(%b %b %b %b %b %b %d" % (
        string(kind.type.upper()),
        string(kind.subtype.upper()),
        _parameters(kind.parameters),
        nstring(part.content_id),
        nstring(part.description),
        string(part.encoding.upper()),
        part.end - part.body_start,
    )


def _parameters(parameters: Parameters) -> bytes:
    if not parameters:
        return NIL
    return b"(" + b" ".join(string(name.upper()) + b" " + string(value) for name, value in parameters) + b")"


def _placement(part: Part) -> bytes:
    """Disposition, language, location."""
    return b" %b %b %b" % (_disposition(part.disposition), _languages(part.languages), nstring(part.location))


def _disposition(disposition: Disposition | None) -> bytes:
    if disposition is None:
        return NIL
    return b"(" + string(disposition.kind.upper()) + b" " + _parameters(disposition.parameters) + b")"


def _languages(languages: tuple[bytes, ...]) -> bytes:
    if not languages:
        return NIL
    if len(languages) == 1:
        return string(languages[0])
    return b"(" + b" ".join(map(string, languages)) + b")"
