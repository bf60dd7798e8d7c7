"""Names around an address that hold more than ASCII, made fit for a header (RFC 2047; Exim 31.6.4, flag `w`)."""

from __future__ import annotations

import re

from pillarbox.language.addresses import Working

_NEEDS_CODE = re.compile(r"[^\t -~]")
_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
_LONGEST = 67
"""Characters of an encoded word behind which another is begun, `=?` and the rest counted (RFC 2047 §2 allows 75)."""


def encode_phrase(text: str, found: Working, charset: str = "UTF-8") -> str:
    """The whole address, what stands around the working part encoded where it must be."""
    before, behind = text[: found.start], text[found.end :]
    phrase, angle, route = before.rpartition("<")
    if not angle:
        return f"{before}{found.address}{behind}"
    name = phrase.rstrip()
    gap = phrase[len(name) :]
    close, _, rest = behind.partition(">")
    comment = rest.lstrip()
    blank = rest[: len(rest) - len(comment)]
    return f"{encoded(name, charset)}{gap}<{route}{found.address}{close}>{blank}{encoded(comment, charset)}"


def encoded(text: str, charset: str) -> str:
    """A phrase or comment; as it is when it is ASCII."""
    if _NEEDS_CODE.search(text) is None:
        return text
    words: list[str] = [""]
    for character in text:
        if len(words[-1]) + len(charset) + 5 > _LONGEST:
            words.append("")
        words[-1] += "".join(_code(byte) for byte in character.encode("utf-8", "surrogateescape"))
    return " ".join(f"=?{charset}?Q?{word}?=" for word in words)


def _code(byte: int) -> str:
    if byte in _SAFE:
        return chr(byte)
    return "_" if byte == 0x20 else f"={byte:02X}"
