"""Does a message match? (RFC 9051 §6.4.4)

A search is evaluated twice at most: first by what the index knows, where a test that needs the message says "unknown"; only when that
leaves the answer open is the message read. So the order in which a client writes its keys does not matter.
Text is searched as readers see it: encoded words, transfer encodings and character sets decoded, case folded.
"""

from __future__ import annotations

import datetime
import email.utils
import re
from collections.abc import Callable, Iterable
from typing import assert_never

import msgspec

from pillarbox.mail.decoding import decode_words, readable_text
from pillarbox.mail.mime import Part, scan
from pillarbox.mailbox.sections import header_end
from pillarbox.ports.mailstore import Entry
from pillarbox.wire.imap import search_keys as keys
from pillarbox.wire.imap.dates import date_in_utc

_FIELD = re.compile(rb"^([!-9;-~]+)[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)", re.MULTILINE)

Test = Callable[["Candidate"], "bool | None"]
"""True, False, or None: cannot say without the message's content."""


class Candidate(msgspec.Struct):
    """One message that is being looked at."""

    index: int
    entry: Entry
    content: bytes | None = None
    """Not yet read when None."""
    _fields: dict[bytes, list[str]] | None = None
    _header: str | None = None
    _text: str | None = None

    def fields(self, name: bytes) -> list[str]:
        """Decoded values of the fields called `name`."""
        assert self.content is not None
        if self._fields is None:
            self._fields = {}
            for found in _FIELD.finditer(self.content[: header_end(self.content)]):
                value = decode_words(found[2].replace(b"\r\n", b"").strip())
                self._fields.setdefault(found[1].lower(), []).append(value)
        return self._fields.get(name, [])

    def folded_header(self) -> str:
        """The message's header, decoded and case-folded."""
        assert self.content is not None
        if self._header is None:
            header = self.content[: header_end(self.content)].replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ")
            self._header = decode_words(header).casefold()
        return self._header

    def folded_text(self) -> str:
        """All text parts, decoded and case-folded; headers of embedded messages with them."""
        assert self.content is not None
        if self._text is None:
            self._text = "\n".join(_texts(self.content, scan(self.content))).casefold()
        return self._text


class Context(msgspec.Struct, frozen=True):
    """What a search needs to know besides the messages."""

    now: float
    recent_from: int
    select: Callable[[keys.Numbered], frozenset[int]]
    """Indexes that a message set names."""
    decode: Callable[[bytes], str]
    """Text in the command's charset."""


def compile_search(key: keys.SearchKey, context: Context) -> Test:
    """The test that a tree of keys stands for. What `context` raises comes through."""
    match key:
        case keys.Everything():
            return _everything
        case keys.Flagged(flag=flag, is_set=is_set):
            return _flagged(flag, is_set)
        case keys.Recency(is_recent=is_recent):
            return lambda message: (message.entry.uid >= context.recent_from) == is_recent
        case keys.HeaderText(name=name, text=text):
            return _header(name, context.decode(text).casefold())
        case keys.BodyText(text=text, with_headers=with_headers):
            return _text(context.decode(text).casefold(), with_headers)
        case keys.Dated():
            return _dated(key)
        case keys.Aged(seconds=seconds, is_older=is_older):
            limit = context.now - seconds
            return lambda message: (message.entry.internal_date <= limit) == is_older
        case keys.Sized():
            return _sized(key)
        case keys.Numbered():
            chosen = context.select(key)
            return lambda message: message.index in chosen
        case keys.ChangedSince(modseq=modseq):
            return lambda message: message.entry.modseq >= modseq
        case keys.Not(key=inner):
            return _negated(compile_search(inner, context))
        case keys.Either(left=left, right=right):
            return _either(compile_search(left, context), compile_search(right, context))
        case keys.Both(keys=several):
            return _all([compile_search(each, context) for each in several])
        case _:
            assert_never(key)


def _sized(key: keys.Sized) -> Test:
    size = key.size
    if key.is_larger:
        return lambda message: message.entry.size > size
    return lambda message: message.entry.size < size


def _everything(_: Candidate) -> bool:
    return True


def _flagged(flag: str, is_set: bool) -> Test:
    if flag.startswith("\\"):
        return lambda message: (flag in message.entry.flags) == is_set
    lowered = flag.lower()  # keywords without regard to case (RFC 9051 §2.3.2)
    return lambda message: any(each.lower() == lowered for each in message.entry.flags) == is_set


def _header(name: bytes, text: str) -> Test:
    def test(message: Candidate) -> bool | None:
        if message.content is None:
            return None
        return any(text in value.casefold() for value in message.fields(name))

    return test


def _text(text: str, with_headers: bool) -> Test:
    def test(message: Candidate) -> bool | None:
        if message.content is None:
            return None
        return (with_headers and text in message.folded_header()) or text in message.folded_text()

    return test


def _dated(key: keys.Dated) -> Test:
    compare = _COMPARISONS[key.comparison]
    day = key.day
    if key.clock == "internal":
        return lambda message: compare(date_in_utc(message.entry.internal_date), day)
    if key.clock == "saved":
        return lambda message: compare(date_in_utc(message.entry.saved_at), day)

    def test(message: Candidate) -> bool | None:
        if message.content is None:
            return None
        sent = _sent_day(message)
        return sent is not None and compare(sent, day)

    return test


_COMPARISONS: dict[str, Callable[[datetime.date, datetime.date], bool]] = {
    "before": lambda left, right: left < right,
    "on": lambda left, right: left == right,
    "since": lambda left, right: left >= right,
}


def _sent_day(message: Candidate) -> datetime.date | None:
    """The Date field's day, without regard to time and zone (RFC 9051 SENTON)."""
    for value in message.fields(b"date"):
        parsed = email.utils.parsedate(value[:200])
        try:
            return datetime.date(*parsed[:3]) if parsed is not None else None
        except ValueError:
            return None
    return None


def _negated(test: Test) -> Test:
    def negated(message: Candidate) -> bool | None:
        answer = test(message)
        return None if answer is None else not answer

    return negated


def _either(left: Test, right: Test) -> Test:
    def either(message: Candidate) -> bool | None:
        first = left(message)
        if first:
            return True
        second = right(message)
        return True if second else (None if first is None or second is None else False)

    return either


def _all(tests: list[Test]) -> Test:
    def conjunction(message: Candidate) -> bool | None:
        answer: bool | None = True
        for test in tests:
            each = test(message)
            if each is False:
                return False
            if each is None:
                answer = None
        return answer

    return conjunction


def _texts(data: bytes, part: Part) -> Iterable[str]:
    if part.message is not None:
        inner = part.message
        yield decode_words(data[inner.header_start : inner.body_start])
        yield from _texts(data, inner)
    elif part.content_type.type == b"text":
        yield readable_text(data, part)
    for child in part.parts:
        yield from _texts(data, child)
