"""Operators about UTF-8 and internationalised addresses (Exim 11.6, 60.1): `from_utf8`, `utf8clean`, `utf8_domain_to_alabel` and its kin.

A-labels are IDNA 2008's, without any mapping of upper case. A local part is punycode as a whole behind `xn--`.
"""

from __future__ import annotations

import re
import unicodedata

from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.octets import octets, text_of
from pillarbox.language.expand.registry import operator
from pillarbox.language.printing import printable

_SEQUENCE = re.compile(
    rb"[\x00-\x7f]+|([\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf7][\x80-\xbf]{3})"
    rb"|(?:[\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]?|[\xf0-\xf7][\x80-\xbf]{0,2})(?:[\xc0-\xff]|(?=[\x00-\x7f])|\Z)|[\x80-\xff]"
)
"""ASCII, a whole sequence, a broken one with the byte that broke it unless that is ASCII, a stray byte."""
_SPACE = " \t\n\v\f\r"
_PREFIX = "xn--"


@operator("from_utf8")
def from_utf8(text: str) -> str:
    """ISO-8859-1; what has no place there, and bytes that are no UTF-8, as underscores."""
    if text.isascii():
        return text
    return text_of(bytes(ord(each) if ord(each) < 256 else 0x5F for each in text))


@operator("utf8clean")
def utf8clean(text: str) -> str:
    if text.isascii():
        return text
    return text_of(_SEQUENCE.sub(_cleaned, octets(text)))


def _cleaned(found: re.Match[bytes]) -> bytes:
    sequence = found.group()
    if sequence[0] < 0x80:
        return sequence
    if not found.group(1):
        return b"?"
    is_surrogate = sequence[0] == 0xED and sequence[1] >= 0xA0
    is_beyond = sequence[0] > 0xF4 or (sequence[0] == 0xF4 and sequence[1] >= 0x90)
    return b"?" if is_surrogate or is_beyond else sequence


@operator("utf8_domain_to_alabel")
def utf8_domain_to_alabel(text: str) -> str:
    if text.isascii():
        return text
    return ".".join(_to_alabel(label, text) for label in _valid(text).split("."))


@operator("utf8_domain_from_alabel")
def utf8_domain_from_alabel(text: str) -> str:
    return ".".join(_from_alabel(label, text) for label in text.strip(_SPACE).split("."))


@operator("utf8_localpart_to_alabel")
def utf8_localpart_to_alabel(text: str) -> str:
    return text if text.isascii() else _PREFIX + _valid(text).encode("punycode").decode("ascii")


@operator("utf8_localpart_from_alabel")
def utf8_localpart_from_alabel(text: str) -> str:
    if not text.startswith(_PREFIX):
        raise _not_utf8(text, "bad alabel prefix")
    return _punycode(text[len(_PREFIX) :], text)


def _valid(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise _no_alabel(text, "string encoding error") from None
    return text


def _to_alabel(label: str, whole: str) -> str:
    if label.isascii():
        return label
    if not all(map(_is_allowed, label)):
        raise _no_alabel(whole, "string contains a disallowed character")
    return _PREFIX + label.encode("punycode").decode("ascii")


def _is_allowed(character: str) -> bool:
    """RFC 5892, by what it comes to: letters without upper case, marks and digits in their normal form, and the hyphen."""
    return character == "-" or (
        unicodedata.category(character) in ("Ll", "Lo", "Lm", "Mn", "Mc", "Nd")
        and unicodedata.normalize("NFKC", character.lower()) == character
    )


def _from_alabel(label: str, whole: str) -> str:
    return _punycode(label[len(_PREFIX) :], whole) if label.lower().startswith(_PREFIX) else label


def _punycode(encoded: str, whole: str) -> str:
    try:
        return encoded.encode("ascii").decode("punycode")
    except (UnicodeError, ValueError, OverflowError):
        raise _not_utf8(whole, "punycode encoded data is invalid") from None


def _no_alabel(text: str, reason: str) -> ExpansionFailed:
    return ExpansionFailed(f"error converting utf8 ({printable(text)}) to alabel: {reason}")


def _not_utf8(text: str, reason: str) -> ExpansionFailed:
    return ExpansionFailed(f"error converting alabel ({printable(text)}) to utf8: {reason}")
