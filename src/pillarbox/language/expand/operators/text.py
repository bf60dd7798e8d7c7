"""Operators on plain text: case, length, quoting, escaping (Exim 11.6). All count and fold bytes, as Exim in the C locale."""

from __future__ import annotations

import re

from pillarbox.language.expand.octets import octets, text_of
from pillarbox.language.expand.registry import operator
from pillarbox.language.printing import printable

_UNQUOTED = re.compile(r"[A-Za-z0-9_.-]+")
_LOCAL_PART = re.compile(r"(?!\.)[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+(?<!\.)")
_NOT_WORD = re.compile(rb"[^A-Za-z0-9]")
_EIGHT_BIT = re.compile(rb"[\x7f-\xff\\]")
_UPPER = {code: code - 32 for code in range(97, 123)}
_LOWER = {code: code + 32 for code in range(65, 91)}


@operator("lc")
def lc(text: str) -> str:
    return text.lower() if text.isascii() else text.translate(_LOWER)


@operator("uc")
def uc(text: str) -> str:
    return text.upper() if text.isascii() else text.translate(_UPPER)


@operator("strlen", untaints=True)
def strlen(text: str) -> str:
    return str(len(text) if text.isascii() else len(octets(text)))


@operator("quote")
def quote(text: str) -> str:
    """In double quotes when empty or anything but letters, digits, underscores, dots and hyphens is in it."""
    return text if _UNQUOTED.fullmatch(text) else _quoted(text)


@operator("quote_local_part")
def quote_local_part(text: str) -> str:
    """Only where RFC 5322 needs it; what is not ASCII counts as needing it."""
    return text if _LOCAL_PART.fullmatch(text) else _quoted(text)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


@operator("rxquote")
def rxquote(text: str) -> str:
    """A backslash in front of each byte but letters and digits."""
    return text_of(_NOT_WORD.sub(rb"\\\g<0>", octets(text)))


@operator("escape")
def escape(text: str) -> str:
    """What does not print as escapes; a tab stays."""
    if text.isascii() and text.isprintable():
        return text
    return "\t".join(printable(part) for part in text.split("\t"))


@operator("escape8bit")
def escape_8bit(text: str) -> str:
    return text_of(_EIGHT_BIT.sub(lambda found: b"\\%03o" % found.group()[0], octets(text)))
