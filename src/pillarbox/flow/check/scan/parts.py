"""The MIME parts of a message as `acl_smtp_mime` is asked about them (Exim 45.4): in their order, multiparts and attached messages too.

Bounded by mail/mime.py: parts, depth. Unlike Exim's, the parts of an attached message are always looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from pillarbox.flow.facets.content import MimeFacts
from pillarbox.mail import header, mime
from pillarbox.mail.encoded_words import decoded_words

_SPACE = re.compile(r"\s+")
_COVERS_ALL = (b"alternative", b"related")


class FoundPart(msgspec.Struct, frozen=True):
    """`body` is as it came, with LF line ends."""

    facts: MimeFacts
    body: bytes


class PartInHand:
    """Facet while the ACL is asked about a part; `decode` changes `facts`."""

    __slots__ = ("body", "facts")

    def __init__(self, found: FoundPart) -> None:
        self.body = found.body
        self.facts = found.facts


def parts_of(data: bytes) -> list[FoundPart]:
    """Of a whole message in LF form. Takes its time with a large one."""
    numbers = iter(range(mime.MAXIMUM_PARTS + 1))
    return list(_walk(data, mime.scan(data), numbers, is_cover=True, is_inside=False))


def _walk(
    data: bytes, part: mime.Part, numbers: Iterator[int], *, is_cover: bool, is_inside: bool
) -> Iterator[FoundPart]:
    facts = _facts(data[part.header_start : part.body_start], part)
    yield FoundPart(
        msgspec.structs.replace(
            facts, part_count=next(numbers), is_coverletter=int(is_cover), is_rfc822=int(is_inside)
        ),
        data[part.body_start : part.end],
    )
    covers_all = part.content_type.subtype in _COVERS_ALL
    for number, inner in enumerate(part.parts):
        covers = is_cover and (covers_all or number == 0)
        yield from _walk(data, inner, numbers, is_cover=covers, is_inside=is_inside)
    if part.message is not None:
        fresh = iter(range(mime.MAXIMUM_PARTS + 1))
        yield from _walk(data, part.message, fresh, is_cover=is_cover, is_inside=True)


def _facts(fields: bytes, part: mime.Part) -> MimeFacts:
    said = header.first(fields, "Content-Type") or b""
    content_type = mime.parse_content_type(said) if said else None
    is_multipart = content_type is not None and content_type.type == b"multipart"
    return MimeFacts(
        boundary=_parameter(content_type, b"boundary") if is_multipart else "",
        charset=_parameter(content_type, b"charset") if b"charset" in said.lower() else "",
        content_description=_plain(fields, "Content-Description"),
        content_disposition=_plain(fields, "Content-Disposition"),
        content_id=_plain(fields, "Content-ID"),
        content_transfer_encoding=_plain(fields, "Content-Transfer-Encoding"),
        content_type=_plain(fields, "Content-Type"),
        filename=decoded_words(
            _parameter(part.disposition, b"filename") or _parameter(content_type, b"name")
        ),
        is_multipart=int(is_multipart),
    )


def _plain(fields: bytes, name: str) -> str:
    """The value without its parameters, in lower case and without white space."""
    value = header.first(fields, name) or b""
    return _SPACE.sub("", value.decode("utf-8", "surrogateescape").partition(";")[0]).lower()


def _parameter(of: mime.ContentType | mime.Disposition | None, name: bytes) -> str:
    """With the pieces of RFC 2231 put together."""
    if of is None:
        return ""
    values = dict(of.parameters)
    found = values.get(name)
    if found is None and name + b"*" in values:
        return mime.ContentType(b"", b"", of.parameters).parameter(name).decode("utf-8", "replace")  # type: ignore[union-attr]
    if found is None:
        pieces: list[bytes] = []
        while (piece := values.get(b"%s*%d" % (name, len(pieces)))) is not None:
            pieces.append(piece)
        found = b"".join(pieces)
    return found.decode("utf-8", "surrogateescape")
