"""The canonical forms of header fields and bodies (RFC 6376 §3.4): what a signature is about, whatever a relay did to white space.

Bodies come in pieces of any size and are digested as they come; nothing is kept but how many line ends have not been followed by anything yet.
"""

from __future__ import annotations

import hashlib
import re
from typing import Literal

Form = Literal["simple", "relaxed"]
Digest = Literal["sha1", "sha256", "sha512"]

_WSP_RUN = re.compile(rb"[ \t]+")


def canonical_field(field: bytes, form: Form) -> bytes:
    """A whole header field, with or without its last LF, as it is digested, with CRLF at the end."""
    field = field.removesuffix(b"\n")
    if form == "simple":
        return field.replace(b"\n", b"\r\n") + b"\r\n"
    name, _, value = field.partition(b":")
    value = _WSP_RUN.sub(b" ", value.replace(b"\n", b"")).strip(b" ")
    return name.rstrip(b" \t").lower() + b":" + value + b"\r\n"


def fields_of(headers: bytes) -> list[bytes]:
    """A header block divided into its fields, each with its LF."""
    return [field + b"\n" for field in _split_fields(headers.removesuffix(b"\n"))] if headers else []


def _split_fields(headers: bytes) -> list[bytes]:
    fields: list[bytes] = []
    start = 0
    for found in re.finditer(rb"\n(?![ \t])", headers):
        fields.append(headers[start : found.start()])
        start = found.end()
    fields.append(headers[start:])
    return fields


class BodyDigest:
    """The digest of one body in one form. `limit`: octets of the canonical body that count (`l=`); None: all."""

    __slots__ = ("_digest", "_form", "_left", "_line_ends", "_space", "size")

    def __init__(self, digest: Digest, form: Form, limit: int | None = None) -> None:
        self._digest = hashlib.new(digest, usedforsecurity=False)
        self._form = form
        self._left = limit
        self._line_ends = 0
        self._space = False
        """White space that may turn out to stand at the end of its line."""
        self.size = 0
        """Octets of the canonical body so far."""

    def add(self, data: bytes) -> None:
        """More of the body, LF form."""
        if self._form == "relaxed":
            data = self._relaxed(data)
        text = data.rstrip(b"\n")
        if text:
            self._take(b"\r\n" * self._line_ends)
            self._take(text.replace(b"\n", b"\r\n"))
            self._line_ends = 0
        self._line_ends += len(data) - len(text)

    def _relaxed(self, data: bytes) -> bytes:
        if self._space:
            data = b" " + data
        data = _WSP_RUN.sub(b" ", data).replace(b" \n", b"\n")
        self._space = data.endswith(b" ")
        return data[:-1] if self._space else data

    def _take(self, data: bytes) -> None:
        self.size += len(data)
        if self._left is not None:
            data = data[: self._left]
            self._left -= len(data)
        self._digest.update(data)

    def value(self) -> bytes:
        """Nothing may be added behind it."""
        if self.size or self._form == "simple":
            self._take(b"\r\n")
        return self._digest.digest()
