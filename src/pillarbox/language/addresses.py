"""One address as people write it (`Ford <fp@x.example> (him)`), reduced to its working part: Exim's reading, with Exim's complaints.

What is accepted is RFC 5322's mailbox plus what Exim is known to forgive: dots anywhere in a local part, words that are no atoms
there, a source route. Used where an address stands alone (rewriting, `deliver` in filters) and, by `address_items`, for header lines
that hold several (`foranyaddress`, groups included). Positions are characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

MAX_ADDRESS = 256
"""Characters of an address, local part and domain together, as Exim bounds it."""
EMPTY = "empty address"
"""What is said of nothing, comments aside."""
_ATOM = re.compile(r'(?:[^\x00-\x20\x7f()<>@,;:\\".\[\]]|\\(?:[\s\S]|\Z))+')
_QUOTED = re.compile(r'"(?:[^"\\]|\\[\s\S])*"')
_DOMAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
_UTF8_DOMAIN = re.compile(r"[^\x00-/:-@\[-`{-\x7f][^\x00-,./:-@\[-`{-\x7f]*")
_LITERAL = re.compile(r"\[[A-Za-z0-9.:]*\]")
_SPACE = re.compile(r"[ \t\r\n]+")
_COMMENT_CHARACTER = re.compile(r"[^()\\]+|\\[\s\S]")

_PLAIN_WORD = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_PLAIN_ADDRESS = (
    rf"({_PLAIN_WORD}(?:\.{_PLAIN_WORD})*)@[A-Za-z0-9][A-Za-z0-9-]*(?:\.[A-Za-z0-9][A-Za-z0-9-]*)*"
)
_PLAIN = re.compile(rf"[ \t\r\n]*(?:({_PLAIN_ADDRESS})|(?:{_PLAIN_WORD} )+<({_PLAIN_ADDRESS})>)[ \t\r\n]*")
"""What nearly all addresses look like: `a@b.example`, or in angle brackets behind words."""


class Working(NamedTuple):
    """`address` between `start` and `end` of the text it was taken from; `domain_at` is the domain's place in `address`, 0: none."""

    address: str
    domain_at: int
    start: int
    end: int


class AddressError(Exception):
    """`str()` says why, in Exim's words."""


def working_address(
    text: str, *, allow_null: bool = False, utf8_domain: bool = False, takes_literals: bool = True
) -> Working:
    """The address proper. An empty one (`<>`) only with `allow_null`. Raises AddressError.

    Without `takes_literals` the domain of an address in angle brackets may not be a literal; of one that stands alone it still may, as in Exim.
    """
    plain = _PLAIN.fullmatch(text) if len(text) <= MAX_ADDRESS else None
    if plain is not None:
        group = 1 if plain[1] is not None else 3
        return Working(plain[group], len(plain[group + 1]) + 1, *plain.span(group))
    found = _Reader(
        text, allow_null=allow_null, utf8_domain=utf8_domain, takes_literals=takes_literals
    ).read()
    if not found.address and not allow_null:
        raise AddressError(EMPTY)
    return found


class _Reader:
    __slots__ = ("allow_null", "at", "label", "takes_literals", "text")

    def __init__(
        self,
        text: str,
        *,
        allow_null: bool = False,
        utf8_domain: bool = False,
        takes_literals: bool = True,
    ) -> None:
        self.text = text
        self.at = 0
        self.allow_null = allow_null
        self.label = _UTF8_DOMAIN if utf8_domain else _DOMAIN
        self.takes_literals = takes_literals

    def read(self) -> Working:
        self.skip()
        start = self.at
        if self.at >= len(self.text):
            return Working("", 0, start, start)
        if self.peek() not in "@<":
            local, end = self.local_part()
            if self.peek() in ("@", ";", ""):
                return self.behind_local_part(local, start, end)
            self.phrase(local, start)
        if self.peek() == "<":
            return self.angle_address()
        return self.routed(start)

    def skip(self) -> None:
        """Over white space and comments, which may be nested; one that is not closed goes to the end."""
        depth = 0
        while self.at < len(self.text):
            character = self.text[self.at]
            if character == "(":
                depth += 1
                self.at += 1
            elif depth == 0:
                space = _SPACE.match(self.text, self.at)
                if space is None:
                    return
                self.at = space.end()
            elif character == ")":
                depth -= 1
                self.at += 1
            else:
                inside = _COMMENT_CHARACTER.match(self.text, self.at)
                self.at = inside.end() if inside else len(self.text)

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def local_part(self) -> tuple[str, int]:
        """Words and dots in any order as long as no two words touch, and where they end."""
        pieces: list[str] = []
        end = self.at
        needs_dot = False
        while self.at < len(self.text):
            word = self.word() if not needs_dot else None
            if word is not None:
                pieces.append(word)
                needs_dot = True
            elif self.peek() == ".":
                pieces.append(".")
                self.at += 1
                needs_dot = False
            else:
                break
            end = self.at
            self.skip()
        return "".join(pieces), end

    def word(self) -> str | None:
        if self.peek() == '"':
            quoted = _QUOTED.match(self.text, self.at)
            if quoted is None:
                raise AddressError("unmatched doublequote in local part")
            self.at = quoted.end()
            return quoted.group()
        atom = _ATOM.match(self.text, self.at)
        if atom is None:
            return None
        self.at = atom.end()
        return atom.group()

    def phrase(self, first: str, start: int) -> None:
        """What stands in front of `<`; only there may words follow each other without dots."""
        while self.at < len(self.text) and self.peek() != "<":
            words, _ = self.local_part()
            if not words:
                break
        if self.peek() != "<":
            self.at = start
            raise AddressError('missing or malformed local part (expected word or "<")')

    def behind_local_part(self, local: str, start: int, end: int) -> Working:
        domain = ""
        if self.peek() == "@":
            self.at += 1
            domain, end = self.domain(may_be_literal=True)
        elif not local:
            raise AddressError(EMPTY)
        return self.finished(local, domain, start, end)

    def domain(self, *, may_be_literal: bool = False) -> tuple[str, int]:
        self.skip()
        if self.peek() == "[":
            if not (self.takes_literals or may_be_literal):
                raise AddressError("domain literals not allowed")
            literal = _LITERAL.match(self.text, self.at)
            if literal is None:
                raise AddressError("malformed domain literal")
            self.at = literal.end()
            end = self.at
            self.skip()
            return literal.group(), end
        labels: list[str] = []
        while True:
            label = self.label.match(self.text, self.at)
            if label is None:
                raise AddressError("domain missing or malformed")
            labels.append(label.group())
            end = self.at = label.end()
            self.skip()
            if self.peek() != ".":
                return ".".join(labels), end
            self.at += 1
            self.skip()

    def angle_address(self) -> Working:
        self.at += 1
        self.skip()
        start = self.at
        if self.peek() == "@":
            found = self.route_and_address()
        elif self.peek() == ">" and self.allow_null:
            found = ("", "", start, start)
        else:
            found = self.inner(start)
        if self.peek() != ">":
            raise AddressError(self.unexpected(found[0], has_domain=bool(found[1])))
        self.at += 1
        self.skip()
        local, domain, start, end = found
        return self.finished(local, domain, start, end)

    def unexpected(self, local: str, *, has_domain: bool) -> str:
        """What is said where `>` should be."""
        if not has_domain:
            quoted = local.replace('"', '\\"')
            return f'"@" or "." expected after "{quoted}"'
        if not self.peek():
            return "'>' missing at end of address"
        return f"malformed address: {self.text[self.at :][:32]} may not follow {self.text[: self.at]}"

    def inner(self, start: int) -> tuple[str, str, int, int]:
        local, end = self.local_part()
        if not local:
            raise AddressError("missing or malformed local part")
        if self.peek() != "@":
            return local, "", start, end
        self.at += 1
        domain, end = self.domain()
        return local, domain, start, end

    def route_and_address(self) -> tuple[str, str, int, int]:
        """`@one,@two:local@domain`: the route is dropped (RFC 5321 appendix C)."""
        begin = self.at
        while True:
            self.at += 1
            self.domain()
            if self.peek() != ",":
                break
            self.at += 1
            self.skip()
            if self.peek() != "@":
                raise AddressError("colon expected after route list")
        if self.peek() != ":":
            raise AddressError("no local part" if self.peek() else "colon expected after route list")
        self.at += 1
        self.skip()
        local, domain, _, end = self.inner(self.at)
        if not domain:
            raise AddressError("domain missing in source-routed address")
        return local, domain, begin, end

    def routed(self, start: int) -> Working:
        """A route outside angle brackets."""
        rest = self.text[self.at :]
        if ":" not in rest and "," not in rest:
            self.at += 1
            self.domain()
            raise AddressError("no local part")
        local, domain, start, end = self.route_and_address()
        return self.finished(local, domain, start, end)

    def finished(self, local: str, domain: str, start: int, end: int) -> Working:
        if not local and domain:
            raise AddressError("missing or malformed local part")
        if self.at < len(self.text):
            rest, before = self.text[self.at :], self.text[: self.at]
            raise AddressError(f"malformed address: {rest[:32]} may not follow {before}")
        address = f"{local}@{domain}" if domain else local
        if len(address) > MAX_ADDRESS:
            raise AddressError(f"address is ridiculously long: {address[:64]}...")
        return Working(address, len(local) + 1 if domain else 0, start, end)


class AddressItem(NamedTuple):
    """A piece of an address list: `text` from `start` on, without the comma and without a group's name."""

    text: str
    start: int


def address_items(text: str, *, opens_groups: bool = True) -> Iterator[AddressItem]:
    """The addresses of a header line, whatever they look like; groups (`name: a, b;`) are opened, or taken for an address each.

    Only a phrase in front of the colon makes a group. In an item that begins with `@`, a route, commas do not count up to the colon.
    """
    if text.find(",") < 0 and text.find(":") < 0 and text.find(";") < 0:
        yield AddressItem(text, 0)
        return
    at, begin = 0, 0
    end = len(text)
    in_group, is_phrase, in_route = False, True, _begins_route(text, 0)
    while at < end:
        character = text[at]
        if character == ":" and (in_route or (opens_groups and is_phrase and not in_group)):
            at += 1
            if not in_route:
                in_group, begin = True, at
                in_route = _begins_route(text, at)
            else:
                in_route = False
        elif (character == "," and not in_route) or (character == ";" and in_group):
            yield AddressItem(text[begin:at], begin)
            in_group = in_group and character == ","
            at += 1
            begin = at
            is_phrase, in_route = True, _begins_route(text, at)
        else:
            is_phrase = is_phrase and character not in "@<["
            at = _behind_piece(text, at)
    yield AddressItem(text[begin:], begin)


def _begins_route(text: str, at: int) -> bool:
    reader = _Reader(text)
    reader.at = at
    reader.skip()
    return reader.peek() == "@"


def _behind_piece(text: str, at: int) -> int:
    """Behind a quoted string, a comment, an escape, an address in angle brackets, a domain literal, or the character at `at`."""
    character = text[at]
    if character == '"':
        quoted = _QUOTED.match(text, at)
        return quoted.end() if quoted else len(text)
    if character == "(":
        reader = _Reader(text)
        reader.at = at
        reader.skip()
        return reader.at
    if character == "\\":
        return at + 2
    if character == "<":
        close = text.find(">", at)
        return close + 1 if close >= 0 else len(text)
    literal = _LITERAL.match(text, at)
    return literal.end() if literal else at + 1
