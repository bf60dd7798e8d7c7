"""`body` (RFC 5173): `:raw`, `:text` (the default) and `:content`.

`:text` decodes the body of a text message; of others it is the raw one, as in Exim. `:content` looks into every part of the named kinds: a
type, `type/subtype`, or empty for any. Of a multipart that is what stands in front of and behind its parts, of a message its headers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from msgspec.structs import replace

from pillarbox.language.expand.octets import octets, text_of
from pillarbox.language.sieve.errors import SieveError
from pillarbox.language.sieve.matching import Matcher, Matching
from pillarbox.language.sieve.parser import Parser
from pillarbox.language.sieve.registry import test
from pillarbox.language.sieve.run import Run
from pillarbox.mail.decoding import UnknownEncoding, decode_charset, decode_transfer
from pillarbox.mail.mime import Part, scan

_NOT_A_NUMBER = "key for numeric comparison contains non-digit"


@dataclass(frozen=True, slots=True)
class Body:
    """`kinds`: of `:content`, in lower case."""

    transform: str
    kinds: tuple[bytes, ...]
    matcher: Matcher

    def holds(self, run: Run) -> bool:
        if self.transform == "content":
            shown = "".join(f" {text_of(kind)}" for kind in self.kinds)
            run.tell(f"content_matchtypes: {shown}")
        return any(self.matcher.matches(text, run) for text in self._texts(run))

    def _texts(self, run: Run) -> Iterator[bytes]:
        body = run.message.body().replace(b"\n", b"\r\n")
        if self.transform == "raw":
            yield body
            return
        data = run.message.headers.replace(b"\n", b"\r\n") + b"\r\n" + body
        whole = scan(data)
        if self.transform == "content":
            yield from self._contents(data, whole)
        elif whole.content_type.type == b"text":
            yield _readable(data, whole)
        else:
            yield body

    def _contents(self, data: bytes, part: Part) -> Iterator[bytes]:
        kind = part.content_type
        if not {b"", kind.type, kind.type + b"/" + kind.subtype}.isdisjoint(self.kinds):
            yield _own_text(data, part)
        for inner in part.parts:
            yield from self._contents(data, inner)
        if part.message is not None:
            yield from self._contents(data, part.message)


def _own_text(data: bytes, part: Part) -> bytes:
    """Without what is inside other parts."""
    if part.parts:
        around = data[part.body_start : part.parts[0].header_start] + data[part.parts[-1].end : part.end]
        return b"\r\n".join(line for line in around.split(b"\r\n") if not _is_delimiter(line, part))
    if part.message is not None:
        return data[part.message.header_start : part.message.body_start]
    return _readable(data, part)


def _is_delimiter(line: bytes, part: Part) -> bool:
    boundary = part.content_type.parameter(b"boundary") or b""
    return line.rstrip(b" \t") in (b"--" + boundary, b"--" + boundary + b"--")


def _readable(data: bytes, part: Part) -> bytes:
    """In UTF-8, if it is text."""
    body = data[part.body_start : part.end]
    with suppress(UnknownEncoding):
        body = decode_transfer(body, part.encoding)
    if part.content_type.type != b"text" or body.isascii():
        return body
    return octets(decode_charset(body, part.content_type.parameter(b"charset")))


class _Transform:
    """The tag that says how the body is looked at."""

    def __init__(self, parser: Parser) -> None:
        self._parser = parser
        self.kind = ""
        self.types: tuple[str, ...] = ()

    def takes_tag(self) -> bool:
        """Raises SieveError."""
        scanner = self._parser.scanner
        found = scanner.takes_tag("raw", "text", "content")
        if not found:
            return False
        if self.kind:
            raise scanner.error("transform type already specified")
        self.kind = found
        if found == "content":
            self.types = self._parser.strings("content types")
        return True


@test("body", needs="body")
def parse_body(parser: Parser) -> Body:
    matching, transform = Matching(parser), _Transform(parser)
    while matching.takes_tag() or transform.takes_tag():
        pass
    matcher = matching.matcher()
    if not matcher.comparator.has_substrings and any(not key.octets.isdigit() for key in matcher.keys):
        raise SieveError(_NOT_A_NUMBER, matcher.position)
    kinds = tuple(octets(kind.lower()) for kind in transform.types)
    return Body(transform.kind or "text", kinds, replace(matcher, is_silent=True))
