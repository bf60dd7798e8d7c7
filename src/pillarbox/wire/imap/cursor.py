"""A place in the text of one command, and the small pieces of grammar read there (RFC 9051 §9).

A command arrives as fragments: text, literal, text, literal, … text. Texts stand at even places, each but the last ending in its
literal's announcement, so that a literal of many megabytes is never copied into a line and never searched for delimiters.
The larger pieces (sets, fetch items, search keys) are one file each beside this one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from pillarbox.wire.imap.limits import Limits

T = TypeVar("T")

_ATOM = re.compile(rb"[!#$&'+-Z^-z|}~\[]+")  # ATOM-CHAR: no ( ) { SP CTL % * " \ ]
_ASTRING_ATOM = re.compile(rb"[!#$&'+-Z\[\]^-z|}~]+")
_LIST_ATOM = re.compile(rb"[!#$%&'*+-Z\[\]^-z|}~\x80-\xff]+")
_NUMBER = re.compile(rb"[0-9]{1,20}")
_QUOTED = re.compile(rb'"((?:[^"\\\r\n\0]|\\["\\])*)"')
_QUOTED_PAIR = re.compile(rb"\\(.)")
_ANNOUNCEMENT = re.compile(rb"~?\{[0-9]+\+?\}\Z")
_LARGEST = (1 << 63) - 1


class BadSyntax(Exception):
    """The command is not what the grammar allows: a tagged BAD. `str()` is for the peer."""


class Cursor:
    """Reads forward through the fragments of one command. Every method raises BadSyntax and consumes what it returns."""

    __slots__ = (
        "_at",
        "_depth",
        "_fragments",
        "_limits",
        "_place",
        "_text",
        "accepts_utf8",
        "names_are_utf8",
    )

    def __init__(self, fragments: Sequence[bytes], limits: Limits, *, at: int = 0) -> None:
        self._fragments = fragments
        self._place = 0
        self._text = fragments[0]
        self._at = at
        self._depth = 0
        self._limits = limits
        self.accepts_utf8 = False
        """8-bit text in quoted strings (RFC 6855, RFC 9051 §4.3): set after ENABLE."""
        self.names_are_utf8 = False
        """Mailbox names in UTF-8 instead of modified UTF-7 (RFC 9051 §5.1)."""

    @property
    def limits(self) -> Limits:
        return self._limits

    def at_end(self) -> bool:
        """Whether only white space is left: trailing spaces of careless clients are forgiven."""
        return self._place + 1 >= len(self._fragments) and not self._text[self._at :].strip(b" ")

    def end(self) -> None:
        if not self.at_end():
            raise BadSyntax("Unexpected text behind the arguments")

    def peek(self) -> bytes:
        """The next byte, or `b""`."""
        return self._text[self._at : self._at + 1]

    def take(self, token: bytes) -> bool:
        """Consume `token` (upper case) when it comes next, whatever its case."""
        end = self._at + len(token)
        if self._text[self._at : end].upper() != token:
            return False
        self._at = end
        return True

    def expect(self, token: bytes) -> None:
        if not self.take(token):
            raise BadSyntax(f"Expected {token.decode('ascii')!r}")

    def space(self) -> None:
        if self._text[self._at : self._at + 1] != b" ":
            raise BadSyntax("Expected a space")
        self._at += 1

    def match(self, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
        """Consume what `pattern` matches here."""
        found = pattern.match(self._text, self._at)
        if found is not None:
            self._at = found.end()
        return found

    def atom(self) -> str:
        found = self.match(_ATOM)
        if found is None:
            raise BadSyntax("Expected an atom")
        return found[0].decode("ascii")

    def number(self) -> int:
        """An unsigned number below 2^63 (RFC 9051 number64)."""
        found = self.match(_NUMBER)
        if found is None:
            raise BadSyntax("Expected a number")
        value = int(found[0])
        if value > _LARGEST:
            raise BadSyntax("Number too large")
        return value

    def positive(self) -> int:
        value = self.number()
        if not value:
            raise BadSyntax("Expected a number above zero")
        return value

    def string(self) -> bytes:
        """Quoted string or literal."""
        if self.peek() == b'"':
            return self._quoted()
        return self.literal()

    def astring(self) -> bytes:
        """Atom, quoted string or literal."""
        found = self.match(_ASTRING_ATOM)
        return found[0] if found is not None else self.string()

    def list_mailbox(self) -> bytes:
        """A LIST pattern: as `astring`, wildcards allowed in the atom."""
        found = self.match(_LIST_ATOM)
        return found[0] if found is not None else self.string()

    def nstring(self) -> bytes | None:
        """NIL or a string."""
        return None if self.take(b"NIL") else self.string()

    def _quoted(self) -> bytes:
        found = self.match(_QUOTED)
        if found is None:
            raise BadSyntax("Malformed quoted string")
        content = found[1]
        if not content.isascii() and not self.accepts_utf8:
            raise BadSyntax("8-bit text needs a literal")
        return _QUOTED_PAIR.sub(rb"\1", content) if b"\\" in content else content

    def literal(self) -> bytes:
        """The literal announced here; `~{n}` (literal8) allowed by the caller's consent to any bytes."""
        if self.match(_ANNOUNCEMENT) is None or self._place + 2 >= len(self._fragments):
            raise BadSyntax("Expected a string")
        content = self._fragments[self._place + 1]
        self._place += 2
        self._text = self._fragments[self._place]
        self._at = 0
        return content

    def parenthesised(self, item: Callable[[Cursor], T], *, may_be_empty: bool = False) -> list[T]:
        """`(item SP item …)`."""
        self.expect(b"(")
        self.enter()
        items: list[T] = []
        if may_be_empty and self.take(b")"):
            self.leave()
            return items
        while True:
            items.append(item(self))
            if self.take(b")"):
                self.leave()
                return items
            self.space()
            if len(items) >= self._limits.arguments:
                raise BadSyntax("Too many arguments")

    def enter(self) -> None:
        """One level deeper; bounded, because recursive grammar follows."""
        self._depth += 1
        if self._depth > self._limits.nesting:
            raise BadSyntax("Nested too deep")

    def leave(self) -> None:
        self._depth -= 1
