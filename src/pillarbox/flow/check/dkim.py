"""Verifying DKIM signatures of what comes (Exim 58.1.2, RFC 6376 §6): what each one came to, without deciding anything.

The body is looked at first: a signature whose body has changed costs no question to the DNS. Only the first `MOST` signatures of a message
count; Exim has no bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from pillarbox.flow.in_turns import in_turns
from pillarbox.ports.dns import Resolver
from pillarbox.wire.dkim.canonical import BodyDigest, Digest, Form, fields_of
from pillarbox.wire.dkim.key_record import KeyRecord, read_key_record
from pillarbox.wire.dkim.keys import BadKey, bits_of, is_signed, public_key
from pillarbox.wire.dkim.signature import Signature, is_signature, read_signature

MOST = 20
"""Signatures of one message."""

Status = Literal["none", "invalid", "fail", "pass"]


class DkimRules(msgspec.Struct, frozen=True):
    """The main options `dkim_verify_…`."""

    digests: tuple[str, ...] = ("sha256", "sha512")
    kinds: tuple[str, ...] = ("ed25519", "rsa")
    least_bits: tuple[tuple[str, int], ...] = (("rsa", 1024), ("ed25519", 250))
    is_minimal: bool = False
    """The first good signature is enough."""

    def admits(self, signature: Signature) -> bool:
        return signature.digest in self.digests and signature.kind in self.kinds

    def is_too_short(self, kind: str, bits: int) -> bool:
        return bits < dict(self.least_bits).get(kind, 0)


def least_bits(text: str) -> tuple[tuple[str, int], ...]:
    """Of `rsa=1024 ed25519=250`; what is not of that form counts for nothing."""
    words = (word.partition("=") for word in text.split())
    return tuple((kind, int(bits)) for kind, _, bits in words if bits.isdecimal())


class Verified(msgspec.Struct, frozen=True):
    """What one signature came to."""

    signature: Signature
    status: Status
    reason: str = ""
    """As in $dkim_verify_reason."""
    detail: str = ""
    """For people."""
    key: KeyRecord | None = None
    bits: int = 0
    """Of the key; 0: there was no need for it."""
    troubles: tuple[str, ...] = ()
    """For the log: what is wrong with the key."""


def signatures_of(headers: bytes, rules: DkimRules) -> list[Signature]:
    """Those that are to be verified, in the order in which that is done: by `digests` and `kinds`, then as they stand."""
    found = [read_signature(field) for field in fields_of(headers) if is_signature(field)]
    admitted = [one for one in found if one is not None and rules.admits(one)][:MOST]
    return sorted(admitted, key=lambda one: (rules.digests.index(one.digest), rules.kinds.index(one.kind)))


async def verify(
    signatures: Sequence[Signature],
    headers: bytes,
    body: Iterable[bytes],
    resolver: Resolver,
    rules: DkimRules,
) -> list[Verified]:
    """`headers` and `body` in LF form, as they came."""
    fields = fields_of(headers)
    digests = await _body_digests(signatures, body)
    found: list[Verified] = []
    for signature, digest in zip(signatures, digests, strict=True):
        one = await _verify_one(signature, fields, digest, resolver, rules)
        found.append(one)
        if rules.is_minimal and one.status == "pass":
            break
    return found


async def _body_digests(signatures: Sequence[Signature], body: Iterable[bytes]) -> list[bytes]:
    """Of each signature, made once where several want the same."""
    wanted = {_kind_of_digest(one): BodyDigest(*_kind_of_digest(one)) for one in signatures}
    async for chunk in in_turns(body):
        for digest in wanted.values():
            digest.add(chunk)
    values = {kind: digest.value() for kind, digest in wanted.items()}
    return [values[_kind_of_digest(one)] for one in signatures]


def _kind_of_digest(signature: Signature) -> tuple[Digest, Form, int | None]:
    return signature.digest, signature.body_form, None if signature.limit < 0 else signature.limit


async def _verify_one(
    signature: Signature, fields: Sequence[bytes], digest: bytes, resolver: Resolver, rules: DkimRules
) -> Verified:
    if signature.trouble:
        return Verified(signature, "invalid", "", signature.trouble)
    if digest != signature.body_digest:
        return _failed(
            signature, "bodyhash_mismatch", "body hash mismatch (body probably modified in transit)"
        )
    name = f"d={signature.domain} s={signature.selector}"
    failed_import = f"DKIM: {name} [failed key import]"
    answer = await resolver.query(_key_name(signature), "TXT")
    if answer.status != "found":
        return Verified(
            signature,
            "invalid",
            "pubkey_unavailable",
            "public key record (currently?) unavailable",
            troubles=(failed_import,),
        )
    record = read_key_record(answer.records[0].raw.decode("utf-8", "surrogateescape"))
    syntax = "syntax error in public key record"
    if record is None:
        return Verified(signature, "invalid", "pubkey_dns_syntax", syntax, troubles=(failed_import,))
    try:
        key = public_key(signature.kind, record.public)
    except BadKey as error:
        troubles = failed_import, f"DKIM: validation error: {error}"
        return Verified(signature, "invalid", "pubkey_der_syntax", syntax, troubles=troubles)
    bits = bits_of(key)
    if record.digests and signature.digest not in record.digests:
        return _failed(signature, "", "unspecified reason", record, bits)
    if rules.is_too_short(signature.kind, bits):
        return _failed(signature, "pubkey_too_short", "signature invalid (key too short)", record, bits)
    if not is_signed(key, signature.digest, signature.signed_data(fields), signature.value):
        why = "signature did not verify (headers probably modified in transit)"
        return _failed(signature, "signature_incorrect", why, record, bits)
    return Verified(signature, "pass", key=record, bits=bits)


def _failed(
    signature: Signature, reason: str, detail: str, key: KeyRecord | None = None, bits: int = 0
) -> Verified:
    return Verified(signature, "fail", reason, detail, key, bits)


def _key_name(signature: Signature) -> str:
    return f"{signature.selector}._domainkey.{signature.domain}".lower()
