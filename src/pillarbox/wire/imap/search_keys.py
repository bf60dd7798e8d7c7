"""What SEARCH looks for: the keys as a tree (RFC 9051 §6.4.4; MODSEQ RFC 7162; SAVEDATE RFC 8514; WITHIN RFC 5032)."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import Literal, TypeAlias

import msgspec

from pillarbox.wire.imap.cursor import BadSyntax, Cursor
from pillarbox.wire.imap.dates import parse_date
from pillarbox.wire.imap.sequence_set import SequenceSet, parse_sequence_set

Comparison = Literal["before", "on", "since"]

_WORD = re.compile(rb"[A-Z0-9]+", re.IGNORECASE)
_KEYWORD = re.compile(rb"[!#$&'+-Z^-z|}~\[]+")


class Everything(msgspec.Struct, frozen=True):
    """ALL."""


class Flagged(msgspec.Struct, frozen=True):
    """SEEN, UNSEEN, KEYWORD, UNKEYWORD …"""

    flag: str
    is_set: bool


class Recency(msgspec.Struct, frozen=True):
    """RECENT, OLD."""

    is_recent: bool


class HeaderText(msgspec.Struct, frozen=True):
    """`text` somewhere in a field of this name; empty text: the field is there. Text still in the command's charset."""

    name: bytes
    text: bytes


class BodyText(msgspec.Struct, frozen=True):
    """BODY, or TEXT when the headers count too."""

    text: bytes
    with_headers: bool


class Dated(msgspec.Struct, frozen=True):
    """By day. `clock`: the internal date, the Date field, or when it was saved here."""

    clock: Literal["internal", "sent", "saved"]
    comparison: Comparison
    day: datetime.date


class Aged(msgspec.Struct, frozen=True):
    """OLDER, YOUNGER: seconds before now."""

    seconds: int
    is_older: bool


class Sized(msgspec.Struct, frozen=True):
    """LARGER, SMALLER than `size` bytes."""

    size: int
    is_larger: bool


class Numbered(msgspec.Struct, frozen=True):
    """A message set, or UID and a set."""

    numbers: SequenceSet
    by_uid: bool


class ChangedSince(msgspec.Struct, frozen=True):
    """MODSEQ."""

    modseq: int


class Not(msgspec.Struct, frozen=True):
    key: SearchKey


class Either(msgspec.Struct, frozen=True):
    left: SearchKey
    right: SearchKey


class Both(msgspec.Struct, frozen=True):
    """All of them."""

    keys: tuple[SearchKey, ...]


SearchKey: TypeAlias = (
    Everything
    | Flagged
    | Recency
    | HeaderText
    | BodyText
    | Dated
    | Aged
    | Sized
    | Numbered
    | ChangedSince
    | Not
    | Either
    | Both
)


def parse_search_keys(cursor: Cursor) -> SearchKey:
    """Keys to the end of the command, all of which must hold."""
    return _Keys(cursor).to_end()


class _Keys:
    """Counts keys, because OR and NOT nest without parentheses."""

    __slots__ = ("_count", "_cursor")

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._count = 0

    def to_end(self) -> SearchKey:
        keys = [self.key()]
        while not self._cursor.at_end():
            self._cursor.space()
            keys.append(self.key())
        return keys[0] if len(keys) == 1 else Both(tuple(keys))

    def key(self) -> SearchKey:
        self._count += 1
        if self._count > self._cursor.limits.arguments:
            raise BadSyntax("Too many search keys")
        following = self._cursor.peek()
        if following == b"(":
            keys = self._cursor.parenthesised(lambda _: self.key())
            return keys[0] if len(keys) == 1 else Both(tuple(keys))
        if following in b"0123456789*$" and following:
            return Numbered(parse_sequence_set(self._cursor), by_uid=False)
        found = self._cursor.match(_WORD)
        return self._named(found[0].decode("ascii").upper() if found is not None else "")

    def _named(self, word: str) -> SearchKey:
        if word in _SIMPLE:
            return _SIMPLE[word]
        if word in ("NOT", "OR"):
            self._cursor.enter()
            negation = Not(self._next()) if word == "NOT" else Either(self._next(), self._next())
            self._cursor.leave()
            return negation
        parse = _WITH_ARGUMENT.get(word)
        if parse is None:
            raise BadSyntax(f"Unknown search key {word}")
        self._cursor.space()
        return parse(self._cursor)

    def _next(self) -> SearchKey:
        self._cursor.space()
        return self.key()


def _header(name: bytes) -> Callable[[Cursor], SearchKey]:
    return lambda cursor: HeaderText(name, cursor.astring())


def _named_header(cursor: Cursor) -> SearchKey:
    name = cursor.astring()
    cursor.space()
    return HeaderText(name.lower(), cursor.astring())


def _dated(
    clock: Literal["internal", "sent", "saved"], comparison: Comparison
) -> Callable[[Cursor], SearchKey]:
    return lambda cursor: Dated(clock, comparison, parse_date(cursor))


def _keyword(cursor: Cursor) -> str:
    found = cursor.match(_KEYWORD)
    if found is None:
        raise BadSyntax("Expected a keyword")
    return found[0].decode("ascii")


def _modseq(cursor: Cursor) -> SearchKey:
    """`MODSEQ ["/flags/\\Seen" all] 620162338`: per-flag modseqs are not kept, so the entry is read and passed over (RFC 7162 §3.1.5)."""
    if cursor.peek() == b'"':
        cursor.string()
        cursor.space()
        if cursor.atom().lower() not in ("all", "priv", "shared"):
            raise BadSyntax("Expected all, priv or shared")
        cursor.space()
    return ChangedSince(cursor.number())


_SIMPLE: dict[str, SearchKey] = {
    "ALL": Everything(),
    "RECENT": Recency(is_recent=True),
    "OLD": Recency(is_recent=False),
    "NEW": Both((Recency(is_recent=True), Flagged("\\Seen", is_set=False))),
    "SAVEDATESUPPORTED": Everything(),
}
for _flag in ("Answered", "Deleted", "Draft", "Flagged", "Seen"):
    _SIMPLE[_flag.upper()] = Flagged(f"\\{_flag}", is_set=True)
    _SIMPLE[f"UN{_flag.upper()}"] = Flagged(f"\\{_flag}", is_set=False)

_WITH_ARGUMENT: dict[str, Callable[[Cursor], SearchKey]] = {
    "BODY": lambda cursor: BodyText(cursor.astring(), with_headers=False),
    "TEXT": lambda cursor: BodyText(cursor.astring(), with_headers=True),
    "HEADER": _named_header,
    "KEYWORD": lambda cursor: Flagged(_keyword(cursor), is_set=True),
    "UNKEYWORD": lambda cursor: Flagged(_keyword(cursor), is_set=False),
    "LARGER": lambda cursor: Sized(cursor.number(), is_larger=True),
    "SMALLER": lambda cursor: Sized(cursor.number(), is_larger=False),
    "OLDER": lambda cursor: Aged(cursor.positive(), is_older=True),
    "YOUNGER": lambda cursor: Aged(cursor.positive(), is_older=False),
    "UID": lambda cursor: Numbered(parse_sequence_set(cursor), by_uid=True),
    "MODSEQ": _modseq,
}
for _name in ("BCC", "CC", "FROM", "SUBJECT", "TO"):
    _WITH_ARGUMENT[_name] = _header(_name.lower().encode("ascii"))
_COMPARISONS: tuple[Comparison, ...] = ("before", "on", "since")
for _comparison in _COMPARISONS:
    _WITH_ARGUMENT[_comparison.upper()] = _dated("internal", _comparison)
    _WITH_ARGUMENT[f"SENT{_comparison.upper()}"] = _dated("sent", _comparison)
    _WITH_ARGUMENT[f"SAVED{_comparison.upper()}"] = _dated("saved", _comparison)
