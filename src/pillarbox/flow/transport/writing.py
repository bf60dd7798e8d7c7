"""What a local delivery writes: the message's bytes as an mbox, a pipe or batch SMTP wants them (Exim 26.2, 29.5, 49.4).

A copy goes through as an iterator of pieces: nothing is joined, and what changes nothing costs nothing. Lines are LF inside; only
`use_crlf` makes them CRLF, last of all. The check string looks at the body; in batch SMTP, and behind a transport filter, at the headers too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Protocol

import msgspec

from pillarbox.flow.transport.headers import BLANK_LINE
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.wire.exim.error_numbers import CANNOT_EXPAND

_BARE_LF = re.compile(rb"(?<!\r)\n")
Pieces = Iterable[bytes]
Change = Callable[[Pieces], Pieces]


class WritingOptions(Protocol):
    """The options that appendfile and pipe share."""

    @property
    def name(self) -> str: ...
    @property
    def message_prefix(self) -> Template | None: ...
    @property
    def message_suffix(self) -> Template | None: ...
    @property
    def check_string(self) -> str | None: ...
    @property
    def escape_string(self) -> str | None: ...
    @property
    def use_bsmtp(self) -> bool: ...
    @property
    def use_crlf(self) -> bool: ...


class Copy(msgspec.Struct, frozen=True):
    """One delivery's copy of a message in LF form."""

    headers: bytes
    """With what the delivery adds in front; no blank line. None of them: see `has_headers`."""
    body: Pieces
    has_headers: bool = True
    """False with `body_only`: the blank line goes too."""
    is_filtered: bool = False
    """It came out of a transport filter, whole, in `body`."""

    def pieces(self) -> Pieces:
        if not self.has_headers:
            return self.body
        return chain((self.headers, BLANK_LINE), self.body)

    def known_size(self, body_size: int) -> int:
        """Octets of `pieces`, when the body has so many; 0: nobody has counted them."""
        if self.is_filtered or self.body == () or not self.has_headers:
            return 0
        return len(self.headers) + 1 + body_size


class FrameFailed(ExpansionDeferred):
    """What stands around a copy cannot be made: deferred, and no matter for the panic log."""

    number = CANNOT_EXPAND
    """Exim's, for the retry hint."""

    def __init__(self, text: str, why: Exception) -> None:
        super().__init__(text)
        self.why = why


class Frame(msgspec.Struct, frozen=True):
    """What stands around a copy, expanded."""

    before: bytes = b""
    after: bytes = b""
    sender: str = ""
    """For batch SMTP, as are `recipients`."""
    recipients: tuple[str, ...] = ()


async def frame_of(
    options: WritingOptions, scope: Scope, sender: str | None, recipients: Sequence[str]
) -> Frame:
    """Raises FrameFailed."""
    before = await _expanded(options.message_prefix, "prefix", options.name, scope)
    after = await _expanded(options.message_suffix, "suffix", options.name, scope)
    return Frame(before, after, sender or "", tuple(recipients))


def written(
    copy: Copy, frame: Frame, options: WritingOptions, *, ends_in_crlf: bool | None = None
) -> Iterator[bytes]:
    """All that is written, in order. `ends_in_crlf` in place of `use_crlf`."""
    ended = with_crlf if (options.use_crlf if ends_in_crlf is None else ends_in_crlf) else iter
    if options.use_bsmtp:
        dot = b".\r\n" if ended is with_crlf else b".\n"
        return chain((frame.before,), ended(_batch_smtp(copy, frame)), (frame.after, dot))
    escape = escaping(options.check_string, options.escape_string)
    if not copy.has_headers or copy.is_filtered:
        middle: Pieces = escape(copy.pieces())
    else:
        middle = chain((copy.headers, BLANK_LINE), escape(copy.body))
    return chain((frame.before,), ended(middle), (frame.after,))


def _batch_smtp(copy: Copy, frame: Frame) -> Iterator[bytes]:
    """The envelope as SMTP commands, and lines with their first dot doubled (Exim 49.4.1). The suffix stands before the final dot."""
    commands = [f"MAIL FROM:<{frame.sender}>", *(f"RCPT TO:<{one}>" for one in frame.recipients), "DATA", ""]
    yield "\n".join(commands).encode("utf-8", "surrogateescape")
    last = b"\n"
    for piece in escaping(".", "..")(copy.pieces()):
        if piece:
            last = piece
            yield piece
    if not last.endswith(b"\n"):
        yield b"\n"


async def _expanded(template: Template | None, which: str, name: str, scope: Scope) -> bytes:
    if template is None:
        return b""
    try:
        return (await template.expand(scope)).encode("utf-8", "surrogateescape")
    except (ExpansionFailed, ExpansionDeferred) as error:
        text = f'Expansion of "{template.source}" ({which} for {name} transport) failed'
        raise FrameFailed(text, error) from None


def escaping(check: str | None, escape: str | None) -> Change:
    """Lines that begin with `check` begin with `escape` instead; where one is unset: the pieces as they are."""
    if not check or escape is None:
        return lambda pieces: pieces
    begins = b"\n" + check.encode("utf-8", "surrogateescape")
    instead = b"\n" + escape.encode("utf-8", "surrogateescape")
    return lambda pieces: _escaped(pieces, begins, instead)


def _escaped(pieces: Pieces, begins: bytes, instead: bytes) -> Iterator[bytes]:
    """A line that may be cut in the middle of what is looked for is held back until the next piece."""
    held, is_first = b"\n", True
    longest = len(begins) - 1
    for piece in pieces:
        text = held + piece
        at = text.rfind(b"\n", max(0, len(text) - longest))
        if at < 0:
            at = len(text)
        done, held = text[:at].replace(begins, instead), text[at:]
        if is_first and done:
            done, is_first = done[1:], False
        yield done
    rest = held.replace(begins, instead)
    yield rest[1:] if is_first else rest


class Counted:
    """Pieces that go through once, and how many octets there have been."""

    __slots__ = ("_pieces", "size")

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self.size += len(piece)
            yield piece


def with_crlf(pieces: Pieces) -> Iterator[bytes]:
    """Every LF that has no CR in front gets one."""
    ends_in_cr = False
    for piece in pieces:
        if not piece:
            continue
        if ends_in_cr and piece.startswith(b"\n"):
            yield b"\n"
            piece = piece[1:]
        ends_in_cr = piece.endswith(b"\r")
        yield _BARE_LF.sub(b"\r\n", piece)
