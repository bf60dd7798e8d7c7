"""Operators for header lines: `rfc2047`, `rfc2047d`, `headerwrap` (Exim 11.6)."""

from __future__ import annotations

import codecs
import re

from pillarbox.language.expand.encoding_words import encode_words
from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.headers import DEFAULT_CODING, HeaderCoding, decode_words
from pillarbox.language.expand.octets import octets, text_of
from pillarbox.language.expand.operators.scoped import scope_operator
from pillarbox.language.expand.registry import argument_operator
from pillarbox.language.expand.scope import Scope

_WRAP = re.compile(r"([0-9]*)[^_]*(?:_([0-9]*))?")
_ENCODED_WORD = re.compile(r"=\?([^?\s]+)\?[qQbB]\?[^?\s]*\?=", re.ASCII)
_COLUMNS, _LIMIT = 80, 998
_TAB = 8
_EARLIEST = 10
"""A space further left is no place to wrap at."""


@scope_operator("rfc2047")
def rfc2047(text: str, scope: Scope) -> str:
    coding = scope.facet(HeaderCoding) or DEFAULT_CODING
    return " ".join(encode_words(octets(text), coding.charset)) or text


@scope_operator("rfc2047d")
def rfc2047_decode(text: str, scope: Scope) -> str:
    coding = scope.facet(HeaderCoding) or DEFAULT_CODING
    for name in _ENCODED_WORD.findall(text):
        if not _is_known(name):
            reason = "failed: Invalid argument (maybe unsupported conversion)"
            raise ExpansionFailed(f'iconv_open("{coding.charset}", "{name}") {reason}')
    return text_of(decode_words(octets(text), coding.charset, checks_length=coding.checks_length))


def _is_known(charset: str) -> bool:
    try:
        codecs.lookup(charset)
    except (LookupError, UnicodeError, ValueError):
        return False
    return True


@argument_operator("headerwrap")
def headerwrap(text: str, arguments: tuple[str, ...]) -> str:
    found = _WRAP.match("_".join(arguments))
    columns, limit = found.groups() if found else ("", "")
    width = int(columns[:9] or "0") if columns else 0
    longest = int(limit[:9]) if limit else _LIMIT
    if not arguments:
        width = _COLUMNS
    return text_of(_wrapped(octets(text), width, longest)) if width else text_of(octets(text)[:longest])


def _wrapped(data: bytes, width: int, longest: int) -> bytes:
    lines: list[bytes] = []
    size = 0
    while data and size < longest:
        line, data = _line(data, width)
        lines.append(line)
        size += len(line) + 2
        width = width - _TAB if len(lines) == 1 else width
    return b"\n\t".join(lines if not data else [*lines, b""])[:longest]


def _line(data: bytes, width: int) -> tuple[bytes, bytes]:
    """The next line and what is left."""
    width = max(width, 0)
    newline = data.find(b"\n", 0, width)
    if newline >= 0:
        return data[:newline], data[newline + 1 :]
    if len(data) <= width:
        return data, b""
    space = data.rfind(b" ", _EARLIEST + 1, width + 1)
    if space < 0:
        return data[:width], data[width:]
    return data[:space].rstrip(b" "), data[space:].lstrip(b" ")
