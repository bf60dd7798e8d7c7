"""Bytes written otherwise: `base64`, `base64d`, `str2b64`, `hex2b64`, `hexquote`, `xtextd` (Exim 11.6)."""

from __future__ import annotations

import base64
import binascii
import re

from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.octets import octets, text_of
from pillarbox.language.expand.registry import operator
from pillarbox.language.printing import quoted

_SPACE = re.compile(rb"[ \t\r\n\v\f]+")
_HEX = re.compile(r"[0-9A-Fa-f]*")
_NOT_GRAPHIC = re.compile(rb"[^!-~]")
_XTEXT = re.compile(rb"\+([0-9A-Fa-f]{2})")


@operator("base64")
def base64_encode(text: str) -> str:
    return base64.b64encode(octets(text)).decode("ascii")


@operator("str2b64")
def str2b64(text: str) -> str:
    return base64_encode(text)


@operator("base64d")
def base64_decode(text: str) -> str:
    """White space between the digits is skipped. As text ends at a zero byte, so does what is decoded; likewise `xtextd`."""
    try:
        decoded = base64.b64decode(_SPACE.sub(b"", octets(text)), validate=True)
    except (binascii.Error, ValueError):
        raise ExpansionFailed(f'string "{quoted(text)}" is not well-formed for "base64d" operator') from None
    return text_of(decoded.partition(b"\0")[0])


@operator("hex2b64")
def hex2b64(text: str) -> str:
    if not _HEX.fullmatch(text):
        raise ExpansionFailed(f'"{quoted(text)}" is not a hex string')
    if len(text) % 2:
        raise ExpansionFailed(f'"{text}" contains an odd number of characters')
    return base64.b64encode(bytes.fromhex(text)).decode("ascii")


@operator("hexquote")
def hexquote(text: str) -> str:
    return _NOT_GRAPHIC.sub(lambda found: b"\\x%02x" % found.group()[0], octets(text)).decode("ascii")


@operator("xtextd")
def xtext_decode(text: str) -> str:
    """RFC 3461 section 4; a `+` without two hexadecimal digits stays as it is."""
    decoded = _XTEXT.sub(lambda found: bytes.fromhex(found.group(1).decode()), octets(text))
    return text_of(decoded.partition(b"\0")[0])
