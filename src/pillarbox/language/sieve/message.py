"""A message as tests see it.

A header that occurs several times is one text, as Exim has it; so are folded lines. Encoded words are read into UTF-8 (RFC 2047); those that
are none stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator

from pillarbox.language.addresses import AddressError, Working, address_items, working_address
from pillarbox.language.expand.headers import DEFAULT_CODING, HeaderCoding, decode_words
from pillarbox.language.expand.octets import text_of
from pillarbox.mail.header import parse_headers
from pillarbox.mail.message import Message

_CHARSET = "UTF-8"
MAX_BODY = 4 << 20
"""How much of a body is looked at, bytes."""
_BLANKS = b" \t\r\n\v\f"


class SieveMessage:
    """`header` and `addresses` remember what they have found."""

    __slots__ = ("_body", "_checks_length", "_fields", "_texts", "message", "size")

    def __init__(
        self, message: Message, coding: HeaderCoding = DEFAULT_CODING, size: int | None = None
    ) -> None:
        """`size`: of the message as it came, where it has been changed since."""
        self.message = message
        self.size = message.size if size is None else size
        self._checks_length = coding.checks_length
        self._fields: dict[str, list[bytes]] = {}
        for field in parse_headers(message.headers):
            self._fields.setdefault(field.name.lower(), []).append(field.raw.partition(b":")[2])
        self._texts: dict[str, bytes | None] = {}
        self._body: bytes | None = None

    @property
    def headers(self) -> bytes:
        """The block."""
        return self.message.headers

    def has(self, name: str) -> bool:
        return name.lower() in self._fields

    def header(self, name: str) -> bytes | None:
        """All of that name; None: there is none."""
        name = name.lower()
        if name not in self._texts:
            values = self._fields.get(name)
            self._texts[name] = self._readable(values) if values else None
        return self._texts[name]

    def _readable(self, values: list[bytes]) -> bytes:
        text = b"".join(values).replace(b"\n", b"").strip(_BLANKS)
        if b"=?" not in text:
            return text
        return decode_words(text, _CHARSET, checks_length=self._checks_length, is_literal=True)

    def addresses(self, name: str) -> Iterator[Working]:
        """All addresses of all headers of that name. What is none is passed over."""
        for value in self._fields.get(name.lower(), ()):
            text = text_of(value.replace(b"\n", b""))
            for item in address_items(text):
                try:
                    yield working_address(item.text)
                except AddressError:
                    continue

    def body(self) -> bytes:
        """Its beginning."""
        if self._body is None:
            parts, size = [], 0
            for chunk in self.message.body.chunks():
                parts.append(chunk)
                size += len(chunk)
                if size >= MAX_BODY:
                    break
            self._body = b"".join(parts)[:MAX_BODY]
        return self._body
