"""Operators on plain text: case, length, quoting (Exim 11.6)."""

from __future__ import annotations

import re

from pillarbox.language.expand.registry import operator
from pillarbox.mail.address import quote_local_part

_UNQUOTED = re.compile(r"[A-Za-z0-9_.-]+")
_NOT_WORD = re.compile(rb"([^A-Za-z0-9])")
_UPPER = {code: code - 32 for code in range(97, 123)}
_LOWER = {code: code + 32 for code in range(65, 91)}


@operator("lc")
def lc(text: str) -> str:
    """ASCII letters only, like the C locale Exim runs in."""
    return text.lower() if text.isascii() else text.translate(_LOWER)


@operator("uc")
def uc(text: str) -> str:
    return text.upper() if text.isascii() else text.translate(_UPPER)


@operator("strlen")
def strlen(text: str) -> str:
    """Bytes."""
    return str(len(text.encode("utf-8", "surrogateescape")))


@operator("quote")
def quote(text: str) -> str:
    """In double quotes when empty or anything but letters, digits, underscores, dots and hyphens is in it."""
    if _UNQUOTED.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


@operator("quote_local_part")
def quote_local_part_operator(text: str) -> str:
    return quote_local_part(text)


@operator("rxquote")
def rxquote(text: str) -> str:
    """A backslash in front of everything but letters and digits."""
    quoted = _NOT_WORD.sub(rb"\\\1", text.encode("utf-8", "surrogateescape"))
    return quoted.decode("utf-8", "surrogateescape")


@operator("escape")
def escape(text: str) -> str:
    """Non-printing characters as escapes."""
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    known = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\"}
    if character in known:
        return known[character]
    if " " <= character <= "~":
        return character
    return "".join(f"\\{byte:03o}" for byte in character.encode("utf-8", "surrogateescape"))
