"""Making a DKIM-Signature field (RFC 6376 §5), with the tags in Exim's order and the lines divided as it divides them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from pillarbox.wire.dkim.canonical import Digest, Form, canonical_field
from pillarbox.wire.dkim.folding import signature_field
from pillarbox.wire.dkim.keys import kind_of, sign

if TYPE_CHECKING:
    from pillarbox.wire.dkim.keys import PrivateKey


class SignatureWish(msgspec.Struct, frozen=True):
    """What is to be said of one signature."""

    domain: str
    selector: str
    names: tuple[str, ...]
    """Fields to sign. `=NAME`: all there are. `+NAME`: all, and that there are no more."""
    digest: Digest = "sha256"
    form: Form = "relaxed"
    identity: str = ""
    created: int = -1
    """Seconds since the epoch; -1: not said."""
    expires: int = -1


def signed(wish: SignatureWish, key: PrivateKey, fields: Sequence[bytes], body_digest: bytes) -> bytes:
    """The DKIM-Signature field, with its LF, to put in front of the header. `fields` in the order they stand in. Raises ValueError."""
    chosen = choose(fields, wish.names)
    if not chosen:
        raise ValueError("no header fields are to be signed")
    tags: list[tuple[str, Sequence[str]]] = [
        ("a", [f"{kind_of(key)}-{wish.digest}"]),
        ("q", ["dns/txt"]),
        ("c", [f"{wish.form}/{wish.form}"]),
        ("d", [wish.domain]),
        ("s", [wish.selector]),
        ("h", [name for name, _ in chosen]),
        ("bh", [b64encode(body_digest).decode()]),
    ]
    if wish.identity:
        tags.append(("i", [wish.identity]))
    if wish.created >= 0:
        tags.append(("t", [str(wish.created)]))
    if wish.expires >= 0:
        tags.append(("x", [str(wish.expires)]))
    unsigned = _octets(signature_field(tags, ""))
    data = b"".join(canonical_field(field, wish.form) for _, field in chosen if field)
    data += canonical_field(unsigned, wish.form).removesuffix(b"\r\n")
    signature = b64encode(sign(key, wish.digest, data)).decode()
    return _octets(signature_field(tags, signature)) + b"\n"


def choose(fields: Sequence[bytes], names: Sequence[str]) -> list[tuple[str, bytes]]:
    """(name, field) in the order in which they are signed: from the last one up, then those that are not there, with nothing."""
    left = [_wanted(name) for name in names]
    is_used = [False] * len(left)
    chosen: list[tuple[str, bytes]] = []
    for field in reversed(fields):
        raw_name = field.partition(b":")[0].decode("utf-8", "surrogateescape")
        for index, (name, prefix) in enumerate(left):
            if name.lower() == raw_name.lower() and (prefix or not is_used[index]):
                is_used[index] = True
                chosen.append((raw_name, field))
                break
    for index, (name, prefix) in enumerate(left):
        if prefix == "+" or not (is_used[index] or prefix):
            chosen.append((name, b""))
    return chosen


def _wanted(text: str) -> tuple[str, str]:
    """(name, prefix)"""
    prefix = text[:1] if text[:1] in ("=", "+") else ""
    return text.removeprefix(prefix).strip(), prefix


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
