"""Which messages an mbox file holds.

A message begins with a `From ` line that has a plausible date and stands behind an empty line, or at the beginning; the empty line at its end
belongs to the format. `>From ` stays as it lies, `Content-Length:` is not believed. Each is known by a digest of all that is served of it.

Looking again costs little where the file has only grown: its inode and what stood at its end tell. Memory holds places and digests, never text;
the file is read in pieces, not mapped, because another program may cut it short at any time.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator

import msgspec

from pillarbox.backends.mailstore import lineends
from pillarbox.backends.mailstore.mbox.headers import FROM_LINE, without_volatile

PIECE = 1 << 20
_MARK = b"\n\nFrom "
_LONGEST_LINE = 1024
_TAIL = 4096
_DIGEST = 12


class Span(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Where a message lies: `start` of its From_ line, `text` behind that, `end` without the empty line of the format."""

    start: int
    text: int
    end: int
    size: int
    """RFC822.SIZE: of what is served, with CRLF line ends."""
    digest: bytes
    """In hexadecimal."""


class Snapshot(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A file as it was seen."""

    device: int = 0
    inode: int = 0
    size: int = 0
    modified_ns: int = 0
    tail: bytes = b""
    """Digest of its last bytes."""
    spans: tuple[Span, ...] = ()

    def is_of(self, facts: os.stat_result) -> bool:
        """Nothing has happened since."""
        return self.seen == seen(facts)

    @property
    def seen(self) -> tuple[int, int, int, int]:
        return self.device, self.inode, self.size, self.modified_ns

    def end_of(self, number: int) -> int:
        """Where the next message begins."""
        return self.spans[number + 1].start if number + 1 < len(self.spans) else self.size


def seen(facts: os.stat_result) -> tuple[int, int, int, int]:
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns


def look(path: bytes) -> tuple[int, int, int, int]:
    """As `Snapshot.seen`; that of a file which is not there is that of the empty snapshot. Raises OSError."""
    try:
        return seen(os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return Snapshot().seen


def scan(descriptor: int, before: Snapshot) -> Snapshot:
    """What there is now; `before` saves most of the work when the file has only grown. Raises OSError."""
    facts = os.fstat(descriptor)
    if before.is_of(facts):
        return before
    spans: tuple[Span, ...] = ()
    begin = 0
    if before.spans and _has_only_grown(descriptor, before, facts):
        spans, begin = before.spans[:-1], before.spans[-1].start
    found = tuple(_spans(descriptor, begin, facts.st_size))
    return describe(descriptor, spans + found)


def describe(descriptor: int, spans: tuple[Span, ...]) -> Snapshot:
    facts = os.fstat(descriptor)
    return Snapshot(*seen(facts), tail_digest(descriptor, 0, facts.st_size), spans)


def _has_only_grown(descriptor: int, before: Snapshot, facts: os.stat_result) -> bool:
    return (
        (before.device, before.inode) == (facts.st_dev, facts.st_ino)
        and before.size < facts.st_size
        and before.tail == tail_digest(descriptor, 0, before.size)
    )


def tail_digest(descriptor: int, begin: int, end: int) -> bytes:
    """Of the last bytes of a part of the file."""
    begin = max(begin, end - _TAIL)
    return hashlib.blake2b(os.pread(descriptor, end - begin, begin), digest_size=_DIGEST).digest()


def _spans(descriptor: int, begin: int, end: int) -> Iterator[Span]:
    previous: tuple[int, int] | None = None
    for start, text in _starts(descriptor, begin, end):
        if previous is not None:
            yield _span(descriptor, *previous, start)
        previous = start, text
    if previous is not None:
        yield _span(descriptor, *previous, end)


def _starts(descriptor: int, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """(beginning of a From_ line, what is behind it)."""
    held, base, position = b"\n\n", begin - 2, begin
    while True:
        data = os.pread(descriptor, min(PIECE, end - position), position)
        position += len(data)
        held += data
        is_last = not data or position >= end
        at = held.find(_MARK)
        while at >= 0 and (is_last or at + _LONGEST_LINE < len(held)):
            if (line := FROM_LINE.match(held, at + 2)) is not None:
                yield base + at + 2, base + line.end()
            at = held.find(_MARK, at + 2)
        if is_last:
            return
        keep = at if at >= 0 else len(held) - len(_MARK)
        held, base = held[keep:], base + keep


def _span(descriptor: int, start: int, text: int, following: int) -> Span:
    end = following
    closing = os.pread(descriptor, min(2, following - text), max(text, following - 2))
    if closing in (b"\n", b"\n\n"):
        end -= 1
    digest, size, last = hashlib.blake2b(digest_size=_DIGEST), 0, b""
    for piece in pieces(descriptor, text, end):
        digest.update(piece)
        size += lineends.crlf_size(piece) + (last == b"\r" and piece.startswith(b"\n")) * -1
        last = piece[-1:]
    return Span(start, text, end, size, digest.hexdigest().encode())


def pieces(descriptor: int, text: int, end: int) -> Iterator[bytes]:
    """What is served of a message, with the line ends it lies there with. A header is looked at as far as the
    first piece goes."""
    position = text
    while position < end:
        data = os.pread(descriptor, min(PIECE, end - position), position)
        if not data:
            return
        yield without_volatile(data) if position == text else data
        position += len(data)


def read(descriptor: int, span: Span) -> bytes | None:
    """A message as it is served, but for line ends; None: something else lies there by now. Raises OSError."""
    data = b"".join(pieces(descriptor, span.text, span.end))
    digest = hashlib.blake2b(data, digest_size=_DIGEST).hexdigest().encode()
    return data if digest == span.digest else None


def digest_of(data: bytes) -> bytes:
    """What a message will be known by: `data` as it will lie in the file."""
    head, rest = without_volatile(data[:PIECE]), data[PIECE:]
    return hashlib.blake2b(head + rest, digest_size=_DIGEST).hexdigest().encode()
