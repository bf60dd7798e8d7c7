"""Flags: `\\Seen` and friends, and keywords (RFC 9051 §2.3.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pillarbox.wire.imap.cursor import BadSyntax, Cursor

SYSTEM_FLAGS = ("\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft")
MOST_FLAGS = 100
"""In one list."""
_CANONICAL = {flag.upper(): flag for flag in SYSTEM_FLAGS}
_FLAG = re.compile(rb"\\?[!#$&'+-Z^-z|}~\[]{1,64}")


def parse_flag(cursor: Cursor) -> str:
    """One settable flag. `\\Recent` and unknown backslash flags are refused: no client may set them."""
    found = cursor.match(_FLAG)
    if found is None:
        raise BadSyntax("Expected a flag")
    text = found[0].decode("ascii")
    if not text.startswith("\\"):
        return text
    flag = _CANONICAL.get(text.upper())
    if flag is None:
        raise BadSyntax(f"{text} cannot be set")
    return flag


def parse_flags(cursor: Cursor) -> frozenset[str]:
    """`(\\Seen $Junk)`, or the same without parentheses as STORE allows."""
    if cursor.peek() == b"(":
        listed = cursor.parenthesised(parse_flag, may_be_empty=True)
        if len(listed) > MOST_FLAGS:
            raise BadSyntax("Too many flags")
        return frozenset(listed)
    flags = [parse_flag(cursor)]
    while not cursor.at_end():
        cursor.space()
        flags.append(parse_flag(cursor))
        if len(flags) > MOST_FLAGS:
            raise BadSyntax("Too many flags")
    return frozenset(flags)


def format_flags(flags: Iterable[str]) -> bytes:
    """`(\\Flagged \\Seen)`. What a store might hold beyond the grammar is left out rather than sent."""
    texts = [flag for flag in sorted(flags) if _FLAG.fullmatch(flag.encode("utf-8", "replace"))]
    return f"({' '.join(texts)})".encode("ascii")
