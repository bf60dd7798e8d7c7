"""Reading a DKIM-Signature field (RFC 6376 §3.5), as leniently as Exim does: what it takes for a signature is one here."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Sequence
from typing import get_args

import msgspec

from pillarbox.wire.dkim.canonical import Digest, Form, canonical_field
from pillarbox.wire.dkim.keys import Kind

_NAME = b"dkim-signature:"
_WHITE = re.compile(rb"[ \t\n]+")
_FORMS: dict[bytes, Form] = {name.encode(): name for name in get_args(Form)}
_ALGORITHMS: dict[bytes, tuple[Kind, Digest]] = {
    f"{kind}-{digest}".encode(): (kind, digest) for kind in get_args(Kind) for digest in get_args(Digest)
}
_TAG_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9_]*")
MANY = 9999999999999
"""Stands for a number that is not there."""


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """One that can be looked into, be it good or bad."""

    domain: str
    selector: str
    kind: Kind
    digest: Digest
    header_form: Form
    body_form: Form
    names: tuple[str, ...]
    """Of the fields that are signed, as written."""
    body_digest: bytes
    value: bytes
    """The signature itself."""
    unsigned: bytes
    """The field without the signature, which is signed too."""
    version: str = ""
    identity: str = ""
    copied: str = ""
    limit: int = -1
    """Octets of the body that are signed; -1: all."""
    created: int = 0
    expires: int = MANY

    @property
    def algorithm(self) -> str:
        return f"{self.kind}-{self.digest}"

    @property
    def trouble(self) -> str:
        """Why it cannot be verified; empty: it can."""
        if self.version and self.version != "1":
            return "unsupported DKIM version"
        is_whole = self.version and self.selector and self.value
        return "" if is_whole else "signature tag missing or invalid"

    def signed_data(self, fields: Sequence[bytes]) -> bytes:
        """What was signed, of the header fields in the order they stand in."""
        left = list(fields)
        data = []
        for name in self.names:
            wanted = f"{name}:".lower().encode("utf-8", "surrogateescape")
            for index in range(len(left) - 1, -1, -1):
                if left[index][: len(wanted)].lower() == wanted:
                    data.append(canonical_field(left.pop(index), self.header_form))
                    break
        data.append(canonical_field(self.unsigned, self.header_form).removesuffix(b"\r\n"))
        return b"".join(data)


def is_signature(field: bytes) -> bool:
    return field[: len(_NAME)].lower() == _NAME


def read_signature(field: bytes) -> Signature | None:
    """None: it is nothing that could be verified."""
    tags = _tags(field[len(_NAME) :])
    algorithm = _ALGORITHMS.get(tags.get(b"a", b"")) if tags is not None else None
    if tags is None or algorithm is None or not tags.get(b"d"):
        return None
    header_form, _, body_form = tags.get(b"c", b"").partition(b"/")
    return Signature(
        domain=_text(tags[b"d"]),
        selector=_text(tags.get(b"s", b"")),
        kind=algorithm[0],
        digest=algorithm[1],
        header_form=_FORMS.get(header_form, "simple"),
        body_form=_FORMS.get(body_form, "simple"),
        names=tuple(_text(tags.get(b"h", b"")).split(":")),
        body_digest=_decoded(tags.get(b"bh", b"")),
        value=_decoded(tags.get(b"b", b"")),
        unsigned=_without_value(field),
        version=_text(tags.get(b"v", b"")),
        identity=_text(tags.get(b"i", b"")),
        copied=_text(tags.get(b"z", b"")),
        limit=_number(tags[b"l"], 0) if b"l" in tags else -1,
        created=_number(tags.get(b"t", b""), 0),
        expires=_number(tags.get(b"x", b""), MANY),
    )


def _tags(text: bytes) -> dict[bytes, bytes] | None:
    """By name, without white space; the last of a name counts. None: not a list of tags."""
    found: dict[bytes, bytes] = {}
    *parts, last = text.split(b";")
    for part in [*parts, last] if last.strip() else parts:
        name, equals, value = part.partition(b"=")
        name = _WHITE.sub(b"", name)
        if not equals or not _TAG_NAME.fullmatch(name):
            return None
        found[name] = _WHITE.sub(b"", value)
    return found


_VALUE = re.compile(rb"(?<![^;: \t\n])(b[ \t\n]*=)[^;]*")


def _without_value(field: bytes) -> bytes:
    """The value of `b=` deleted with all white space around it (RFC 6376 §3.7)."""
    return _VALUE.sub(rb"\1", field, count=1)


def _decoded(text: bytes) -> bytes:
    try:
        return b64decode(text, validate=True)
    except binascii.Error:
        return b""


def _number(text: bytes, otherwise: int) -> int:
    found = re.match(rb"[0-9]{1,18}", text)
    return int(found[0]) if found else otherwise


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
