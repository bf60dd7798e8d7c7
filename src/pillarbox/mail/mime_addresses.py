"""Addresses in header fields: `From`, `To` and the like (RFC 5322 §3.4, obsolete syntax §4.4 tolerated).

What they are for is the IMAP ENVELOPE, so nothing is decoded and nothing refused: from garbage comes whatever looks like an address.
One pass over tokens; work is linear in the field, and fields are cut at a bound.
"""

from __future__ import annotations

import re

import msgspec

LONGEST_FIELD = 65_536
MOST_ADDRESSES = 2_000

_ATEXT = rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\xff-]"
_SIMPLE = re.compile(
    rb'[ \t]*(?:"([^"\\\r\n]*)"[ \t]*|(' + _ATEXT + rb"+(?:[ \t]+" + _ATEXT + rb"+)*)[ \t]*)?"
    rb"<(" + _ATEXT + rb"+(?:\." + _ATEXT + rb"+)*)@(" + _ATEXT + rb"+(?:\." + _ATEXT + rb"+)*)>[ \t]*"
)
_BARE = re.compile(
    rb"[ \t]*(" + _ATEXT + rb"+(?:\." + _ATEXT + rb"+)*)@(" + _ATEXT + rb"+(?:\." + _ATEXT + rb"+)*)[ \t]*"
)
_TOKEN = re.compile(
    rb'(?P<quoted>"(?:[^"\\]|\\.)*"?)|(?P<domain>\[[^\]]*\]?)|(?P<comment>\()|(?P<special>[<>@,:;])'
    rb"|(?P<space>[ \t\r\n]+)|(?P<atom>[^\"\[(<>@,:; \t\r\n]+)",
    re.DOTALL,
)
_IN_COMMENT = re.compile(rb"\\.|[()]", re.DOTALL)
_QUOTED_PAIR = re.compile(rb"\\(.)", re.DOTALL)


class Mailbox(msgspec.Struct, frozen=True, gc=False):
    """One address. `route` is the obsolete `@a,@b` of `<@a,@b:c@d>`."""

    name: bytes | None
    route: bytes | None
    local_part: bytes
    domain: bytes


class GroupStart(msgspec.Struct, frozen=True, gc=False):
    """`Friends:`."""

    name: bytes


class GroupEnd(msgspec.Struct, frozen=True, gc=False):
    """`;`."""


AddressItem = Mailbox | GroupStart | GroupEnd
_GROUP_END = GroupEnd()


def parse_addresses(value: bytes) -> list[AddressItem]:
    """The addresses of an unfolded field value, groups as a start and an end among them. Never raises."""
    simple = _SIMPLE.fullmatch(value)
    if simple is not None:
        name = simple[1] if simple[1] is not None else simple[2]
        return [Mailbox(name or None, None, simple[3], simple[4])]
    bare = _BARE.fullmatch(value)
    if bare is not None:
        return [Mailbox(None, None, bare[1], bare[2])]
    return _Reader(value[:LONGEST_FIELD]).read()


class _Reader:
    """Collects the pieces of one address until a comma, semicolon or the end."""

    __slots__ = ("_angle", "_comment", "_in_angle", "_in_group", "_items", "_value", "_words")

    def __init__(self, value: bytes) -> None:
        self._value = value
        self._items: list[AddressItem] = []
        self._in_group = False
        self._clear()

    def _clear(self) -> None:
        self._words: list[bytes] = []
        """Outside angle brackets: words, and `@` as a word of its own; white space as b" "."""
        self._angle: list[bytes] = []
        self._in_angle = False
        self._comment: bytes | None = None

    def read(self) -> list[AddressItem]:
        at = 0
        while at < len(self._value) and len(self._items) < MOST_ADDRESSES:
            found = _TOKEN.match(self._value, at)
            if found is None:
                break
            at = found.end()
            match found.lastgroup:
                case "comment":
                    at = self._read_comment(at)
                case "special":
                    self._special(found[0])
                case "space":
                    self._add(b" ")
                case _:
                    self._add(found[0])
        self._finish()
        if self._in_group:
            self._items.append(_GROUP_END)
        return self._items

    def _add(self, word: bytes) -> None:
        (self._angle if self._in_angle else self._words).append(word)

    def _read_comment(self, start: int) -> int:
        depth = 1
        for found in _IN_COMMENT.finditer(self._value, start):
            if found[0] == b"(":
                depth += 1
            elif found[0] == b")":
                depth -= 1
                if not depth:
                    self._comment = self._value[start : found.start()]
                    return found.end()
        self._comment = self._value[start:]
        return len(self._value)

    def _special(self, token: bytes) -> None:
        match token:
            case b"<":
                self._in_angle, self._angle = True, []
            case b">":
                self._in_angle = False
            case b"@":
                self._add(token)
            case b"," | b":" if self._in_angle and self._angle and self._angle[0] == b"@":
                self._add(token)  # the route of <@a,@b:c@d>
            case b":" if not self._in_angle and not self._in_group:
                self._items.append(GroupStart(_phrase(self._words)))
                self._in_group = True
                self._clear()
            case b",":
                self._finish()
            case b";":
                self._finish()
                if self._in_group:
                    self._items.append(_GROUP_END)
                    self._in_group = False

    def _finish(self) -> None:
        if self._angle:
            route, address = _split_route(self._angle)
            name = _phrase(self._words) or _without_pairs(self._comment)
        else:
            route, address = None, self._words
            name = _without_pairs(self._comment)
        local_part, domain = _split(address)
        if not domain and not self._angle and b" " in (phrase := _phrase(address)):
            self._items.append(Mailbox(phrase, None, b"", b""))  # words, but no address
        elif local_part or domain:
            self._items.append(Mailbox(name or None, route, local_part, domain))
        self._clear()


def _without_pairs(text: bytes | None) -> bytes | None:
    return _QUOTED_PAIR.sub(rb"\1", text) if text and b"\\" in text else text


def _phrase(words: list[bytes]) -> bytes:
    """A display name: quotes taken off, runs of white space made one."""
    return b" ".join(b"".join(map(_unquoted, words)).split(None))


def _unquoted(word: bytes) -> bytes:
    if not word.startswith(b'"'):
        return word
    inner = word[1:-1] if len(word) > 1 and word.endswith(b'"') else word[1:]
    return _without_pairs(inner) or b""


def _split_route(words: list[bytes]) -> tuple[bytes | None, list[bytes]]:
    if words[0] == b"@" and b":" in words:
        colon = words.index(b":")
        return b"".join(words[:colon]).replace(b" ", b""), words[colon + 1 :]
    return None, words


def _split(words: list[bytes]) -> tuple[bytes, bytes]:
    """Local part and domain at the last `@`; obsolete white space around dots falls away."""
    bare = [word for word in words if word != b" "]
    if b"@" not in bare:
        return b"".join(map(_unquoted, bare)), b""
    last = len(bare) - 1 - bare[::-1].index(b"@")
    return b"".join(map(_unquoted, bare[:last])), b"".join(bare[last + 1 :])
