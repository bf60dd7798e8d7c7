"""Digests and encodings: `md5`, `sha1`, `sha256`, `sha2_512`, `base64`, `base64d`, `str2b64`, `hex2b64` (Exim 11.6).

Exim writes MD5 in lower case and the SHA family in upper case.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.registry import argument_operator, operator


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


@operator("md5")
def md5(text: str) -> str:
    return hashlib.md5(_bytes(text), usedforsecurity=False).hexdigest()


@operator("sha1")
def sha1(text: str) -> str:
    return hashlib.sha1(_bytes(text), usedforsecurity=False).hexdigest().upper()


@operator("sha256")
def sha256(text: str) -> str:
    return hashlib.sha256(_bytes(text)).hexdigest().upper()


@argument_operator("sha2")
def sha2(text: str, arguments: tuple[str, ...]) -> str:
    size = arguments[0] if arguments else "256"
    if size not in ("256", "384", "512"):
        raise ExpansionFailed(f'unrecognised sha2 variant "{size}"')
    return hashlib.new(f"sha{size}", _bytes(text)).hexdigest().upper()


@operator("base64")
def base64_encode(text: str) -> str:
    return base64.b64encode(_bytes(text)).decode("ascii")


@operator("str2b64")
def str2b64(text: str) -> str:
    return base64_encode(text)


@operator("base64d")
def base64_decode(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("utf-8", "surrogateescape")
    except (binascii.Error, ValueError):
        raise ExpansionFailed(f'string "{text[:200]}" is not well-formed for "base64d" operator') from None


@operator("hex2b64")
def hex2b64(text: str) -> str:
    try:
        return base64.b64encode(bytes.fromhex(text)).decode("ascii")
    except ValueError:
        raise ExpansionFailed(f'"{text[:80]}" is not a hex string') from None
