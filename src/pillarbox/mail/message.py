"""A message: header block and body, both with LF line ends ("spool form").

CRLF exists only at the SMTP, IMAP and POP3 edges. Because bare CR and bare LF are refused on the way in, the change of line
ends loses nothing. A body may be larger than we want in memory, so it is a thing that yields chunks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import msgspec

from pillarbox.mail.header import split_message


@runtime_checkable
class Body(Protocol):
    """A message body that can be read as often as wanted."""

    @property
    def size(self) -> int:
        """Bytes in LF form."""
        ...

    @property
    def lines(self) -> int:
        """Number of newlines."""
        ...

    def chunks(self) -> Iterator[bytes]:
        """The body in order, in pieces of at most a few hundred KiB; large ones are read from disk as asked for."""
        ...


class MemoryBody(msgspec.Struct, frozen=True, gc=False):
    """A body small enough to be kept in memory."""

    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    @property
    def lines(self) -> int:
        return self.data.count(b"\n")

    def chunks(self) -> Iterator[bytes]:
        yield self.data


class Message(msgspec.Struct, frozen=True, gc=False):
    """`headers`: the header block, every field with its newline, no blank line behind. `body`: what follows the blank line."""

    headers: bytes
    body: Body

    @property
    def size(self) -> int:
        """Exim's `$message_size`: headers, blank line and body in LF form, bytes."""
        return len(self.headers) + 1 + self.body.size

    @classmethod
    def parse(cls, data: bytes) -> Message:
        """From a whole message in LF form."""
        headers, body = split_message(data)
        return cls(headers, MemoryBody(body))


def count_zeros(body: Body) -> int:
    """Bytes that are 0: Exim's `$body_zerocount`."""
    return sum(chunk.count(b"\0") for chunk in body.chunks())


def longest_line(message: Message) -> int:
    """Bytes of the longest line of headers and body, without its end."""
    longest = max(map(len, message.headers.split(b"\n")))
    rest = b""
    for chunk in message.body.chunks():
        lines = (rest + chunk).split(b"\n")
        longest = max(longest, max(map(len, lines)))
        rest = lines[-1]
    return longest
