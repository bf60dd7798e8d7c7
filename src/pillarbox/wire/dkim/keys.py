"""Keys: RSA (RFC 6376, RFC 8301) and Ed25519 (RFC 8463). The arithmetic is the cryptography package's, which is loaded for the first of them."""

from __future__ import annotations

import hashlib
from base64 import b64decode
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from pillarbox.wire.dkim.canonical import Digest

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
    from cryptography.hazmat.primitives.hashes import HashAlgorithm

    PrivateKey = RSAPrivateKey | Ed25519PrivateKey
    PublicKey = RSAPublicKey | Ed25519PublicKey

Kind = Literal["rsa", "ed25519"]
_SEQUENCE = b"\x30"
"""The first octet of a key in ASN.1."""


class BadKey(Exception):
    """Not a key, or not one for DKIM. `str()` says why."""


@lru_cache(maxsize=256)
def private_key(pem: bytes) -> PrivateKey:
    """Raises BadKey."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem, None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadKey(_why(pem, error)) from None
    if not _is_rsa(key) and not _is_ed25519(key):
        raise BadKey("neither an RSA key nor an Ed25519 key")
    return key  # type: ignore[return-value]


def _why(pem: bytes, error: Exception) -> str:
    if b"-----BEGIN " not in pem:
        return "The requested data were not available."  # GnuTLS's words
    return (
        "the key is protected by a password" if isinstance(error, TypeError) else "the PEM block is damaged"
    )


def kind_of(key: PrivateKey | PublicKey) -> Kind:
    return "rsa" if _is_rsa(key) else "ed25519"


def _is_rsa(key: object) -> bool:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

    return isinstance(key, RSAPrivateKey | RSAPublicKey)


def _is_ed25519(key: object) -> bool:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

    return isinstance(key, Ed25519PrivateKey | Ed25519PublicKey)


def bits_of(key: PublicKey) -> int:
    return getattr(key, "key_size", 256)


def sign(key: PrivateKey, digest: Digest, data: bytes) -> bytes:
    """Raises ValueError where the key is too short for the digest."""
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    if isinstance(key, RSAPrivateKey):
        return key.sign(data, PKCS1v15(), _hash_of(digest))
    return key.sign(hashlib.new(digest, data, usedforsecurity=False).digest())


def is_signed(key: PublicKey, digest: Digest, data: bytes, signature: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    try:
        if isinstance(key, RSAPublicKey):
            key.verify(signature, data, PKCS1v15(), _hash_of(digest))
        else:
            key.verify(signature, hashlib.new(digest, data, usedforsecurity=False).digest())
    except (InvalidSignature, ValueError):
        return False
    return True


def _hash_of(digest: Digest) -> HashAlgorithm:
    from cryptography.hazmat.primitives import hashes

    match digest:
        case "sha1":
            return hashes.SHA1()
        case "sha256":
            return hashes.SHA256()
        case "sha512":
            return hashes.SHA512()


def public_key(kind: Kind, text: str) -> PublicKey:
    """From the base64 in a key record. An Ed25519 key is its 32 octets, or in ASN.1 as an early draft had it. Raises BadKey."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        data = b64decode("".join(text.split()), validate=True)
    except ValueError as error:
        raise BadKey(str(error)) from None
    try:
        if kind == "ed25519" and len(data) == 32:
            return Ed25519PublicKey.from_public_bytes(data)
        key = load_der_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        what = "DER parsing" if data.startswith(_SEQUENCE) else "TAG"
        raise BadKey(f"ASN1 parser: Error in {what}.") from None  # GnuTLS's words
    if not (_is_rsa(key) if kind == "rsa" else _is_ed25519(key)):
        raise BadKey(f"not an {kind} key")
    return key  # type: ignore[return-value]
