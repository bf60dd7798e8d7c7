"""Search filters: RFC 4515's text to RFC 4511's encoding. As libldap, one comparison may stand without parentheses."""

from __future__ import annotations

import re

from pillarbox.backends.lookups.directory.ber import SEQUENCE, encode, encode_text

_MOST_DEPTH = 50
_AND, _OR, _NOT, _EQUAL, _SUBSTRINGS, _PRESENT, _EXTENSIBLE = 0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0x87, 0xA9
_ORDERED = {">": 0xA5, "<": 0xA6, "~": 0xA8}
_INITIAL, _ANY, _FINAL = 0x80, 0x81, 0x82
_ATTRIBUTE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.;_-]*")
_ESCAPE = re.compile(rb"\\([0-9A-Fa-f]{2})?")


class FilterError(ValueError):
    """Not a filter."""


def encode_filter(text: str) -> bytes:
    """Raises FilterError."""
    if not text.startswith("("):
        return _comparison(text)
    encoded, end = _filter(text, 0, _MOST_DEPTH)
    if text[end:].strip():
        raise FilterError("text behind the filter")
    return encoded


def _filter(text: str, start: int, depth: int) -> tuple[bytes, int]:
    """The filter that begins at the parenthesis at `start`, and where it ends."""
    if depth == 0:
        raise FilterError("too many parentheses in each other")
    inside = _skip_spaces(text, start + 1)
    kind = text[inside : inside + 1]
    if kind in ("&", "|"):
        parts, at = [], _skip_spaces(text, inside + 1)
        while text[at : at + 1] == "(":
            part, at = _filter(text, at, depth - 1)
            parts.append(part)
            at = _skip_spaces(text, at)
        return encode(_AND if kind == "&" else _OR, b"".join(parts)), _closed(text, at)
    if kind == "!":
        part, at = _filter_at(text, _skip_spaces(text, inside + 1), depth - 1)
        return encode(_NOT, part), _closed(text, _skip_spaces(text, at))
    end = text.find(")", start)
    if end < 0:
        raise FilterError("no closing parenthesis")
    return _comparison(text[start + 1 : end]), end + 1


def _filter_at(text: str, at: int, depth: int) -> tuple[bytes, int]:
    if text[at : at + 1] != "(":
        raise FilterError("no opening parenthesis")
    return _filter(text, at, depth)


def _skip_spaces(text: str, at: int) -> int:
    while text[at : at + 1] == " ":
        at += 1
    return at


def _closed(text: str, at: int) -> int:
    if text[at : at + 1] != ")":
        raise FilterError("no closing parenthesis")
    return at + 1


def _comparison(text: str) -> bytes:
    name, equals, value = text.partition("=")
    name = name.strip()
    if not equals or not name or "(" in text or ")" in text:
        raise FilterError("no comparison")
    if name[-1] in _ORDERED:
        return encode(_ORDERED[name[-1]], _pair(_attribute(name[:-1]), value))
    if name.endswith(":"):
        return _extensible(name[:-1], value)
    attribute = _attribute(name)
    if value == "*":
        return encode_text(attribute, _PRESENT)
    if "*" in value:
        return _substrings(attribute, value)
    return encode(_EQUAL, _pair(attribute, value))


def _attribute(name: str) -> str:
    if not _ATTRIBUTE.fullmatch(name):
        raise FilterError("no attribute name")
    return name


def _pair(attribute: str, value: str) -> bytes:
    return encode_text(attribute) + encode(0x04, _unescaped(value))


def _substrings(attribute: str, value: str) -> bytes:
    first, *middle, last = value.split("*")
    if "" in middle:
        raise FilterError("two stars without anything between them")
    parts = [encode(_INITIAL, _unescaped(first))] if first else []
    parts += [encode(_ANY, _unescaped(part)) for part in middle]
    if last:
        parts.append(encode(_FINAL, _unescaped(last)))
    return encode(_SUBSTRINGS, encode_text(attribute) + encode(SEQUENCE, b"".join(parts)))


def _extensible(name: str, value: str) -> bytes:
    """`attribute:dn:rule:=value`, each part optional."""
    attribute, *rest = name.split(":")
    takes_dn = bool(rest) and rest[0].lower() == "dn"
    rule = rest[-1] if len(rest) > takes_dn else ""
    if len(rest) > 2 or not (attribute or rule):
        raise FilterError("no matching rule")
    content = encode_text(rule, 0x81) if rule else b""
    content += encode_text(_attribute(attribute), 0x82) if attribute else b""
    content += encode(0x83, _unescaped(value))
    return encode(_EXTENSIBLE, content + (encode(0x84, b"\xff") if takes_dn else b""))


def _unescaped(value: str) -> bytes:
    """`\\2a` is a byte. Raises FilterError for another backslash."""

    def byte(found: re.Match[bytes]) -> bytes:
        if found.group(1) is None:
            raise FilterError("backslash without two hexadecimal digits")
        return bytes.fromhex(found.group(1).decode())

    return _ESCAPE.sub(byte, value.encode("utf-8", "surrogateescape"))
