"""Digests: `md5`, `sha1`, `sha256`, `sha2_512`, `sha3_256` … (Exim 11.6).

Exim writes MD5 in lower case and the SHA families in upper case.
"""

from __future__ import annotations

import hashlib

from pillarbox.language.expand.certificate import Certificate
from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.octets import octets
from pillarbox.language.expand.registry import argument_operator, operator


@operator("md5", untaints=True)
def md5(text: str) -> str:
    digest = hashlib.md5(_bytes(text), usedforsecurity=False).hexdigest()
    return digest.upper() if isinstance(text, Certificate) else digest


@operator("sha1", untaints=True)
def sha1(text: str) -> str:
    return hashlib.sha1(_bytes(text), usedforsecurity=False).hexdigest().upper()


@operator("sha256", untaints=True)
def sha256(text: str) -> str:
    return hashlib.sha256(_bytes(text)).hexdigest().upper()


@argument_operator("sha2", untaints=True)
def sha2(text: str, arguments: tuple[str, ...]) -> str:
    return _of_size(text, arguments, "sha2", {"256": "sha256", "384": "sha384", "512": "sha512"})


@argument_operator("sha3", untaints=True)
def sha3(text: str, arguments: tuple[str, ...]) -> str:
    sizes = {"224": "sha3_224", "256": "sha3_256", "384": "sha3_384", "512": "sha3_512"}
    return _of_size(text, arguments, "sha3", sizes)


def _bytes(text: str) -> bytes:
    """Of a certificate the certificate itself: its fingerprint."""
    return text.der if isinstance(text, Certificate) else octets(text)


def _of_size(text: str, arguments: tuple[str, ...], name: str, sizes: dict[str, str]) -> str:
    algorithm = sizes.get("_".join(arguments) if arguments else "256")
    if algorithm is None:
        raise ExpansionFailed(f"unrecognised {name} variant")
    return hashlib.new(algorithm, octets(text)).hexdigest().upper()
