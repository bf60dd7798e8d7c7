"""OCSP proofs (RFC 6960): read from a server's files, and judged by a client.

A proof is good when it says so of this very certificate, now, and is signed by who has signed the certificate, or by somebody whom that one
has made a signer of proofs.
"""

from __future__ import annotations

import base64
import datetime
import functools
import re
import ssl
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

SKEW = datetime.timedelta(minutes=5)
"""That a signer's clock may be ahead of ours."""
_PEM = re.compile(rb"-----BEGIN OCSP RESPONSE-----(.*?)-----END OCSP RESPONSE-----", re.DOTALL)


class Proof(NamedTuple):
    """One that can be shown."""

    der: bytes
    until: datetime.datetime | None


def read_proof(path: str, form: str, about: bytes, now: datetime.datetime) -> Proof:
    """`form`: `DER` or `PEM`; of several in PEM the first. `about`: the certificate, DER. As with GnuTLS, one that would prove nothing is
    as bad as none. Raises OSError, ValueError."""
    data = Path(path).read_bytes()
    if form == "PEM":
        found = _PEM.search(data)
        if found is None:
            raise ValueError("there is no OCSP RESPONSE")
        data = base64.b64decode(found[1])
    response = ocsp.load_der_ocsp_response(data)
    number = x509.load_der_x509_certificate(about).serial_number
    single = next((one for one in response.responses if one.serial_number == number), None)
    if single is None:
        raise ValueError("it is about another certificate")
    if single.certificate_status is ocsp.OCSPCertStatus.REVOKED:
        raise ValueError("it says that the certificate was revoked")
    if single.next_update_utc is not None and single.next_update_utc < now:
        raise ValueError("it has expired")
    return Proof(data, single.next_update_utc)


def is_proven(proof: bytes, chain: Sequence[bytes], authorities: str, now: datetime.datetime) -> bool:
    """`chain`: DER, as the server has shown it, its own first. `authorities`: a file in PEM that may hold who has signed it; empty: the
    system's."""
    try:
        response = ocsp.load_der_ocsp_response(proof)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            return False
        own, *others = [x509.load_der_x509_certificate(each) for each in chain]
        issuer = next((one for one in [*others, *_trusted(authorities)] if _has_signed(one, own)), None)
        if issuer is None:
            return False
        single = next((one for one in response.responses if _is_about(one, own, issuer)), None)
        return single is not None and _is_good(single, now) and _is_signed(response, issuer)
    except (OSError, ValueError, TypeError):
        return False


@functools.lru_cache(maxsize=16)
def _trusted(authorities: str) -> tuple[x509.Certificate, ...]:
    """Raises OSError, ValueError."""
    path = authorities or ssl.get_default_verify_paths().cafile or ""
    if not Path(path).is_file():
        return ()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old authorities' serial numbers
        return tuple(x509.load_pem_x509_certificates(Path(path).read_bytes()))


def _has_signed(one: x509.Certificate, other: x509.Certificate) -> bool:
    try:
        other.verify_directly_issued_by(one)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _is_about(single: ocsp.OCSPSingleResponse, own: x509.Certificate, issuer: x509.Certificate) -> bool:
    if single.serial_number != own.serial_number:
        return False
    key = x509.SubjectKeyIdentifier.from_public_key(issuer.public_key()).digest
    name = hashes.Hash(single.hash_algorithm)
    name.update(issuer.subject.public_bytes())
    is_usual = isinstance(single.hash_algorithm, hashes.SHA1)
    return single.issuer_name_hash == name.finalize() and (not is_usual or single.issuer_key_hash == key)


def _is_good(single: ocsp.OCSPSingleResponse, now: datetime.datetime) -> bool:
    if single.certificate_status is not ocsp.OCSPCertStatus.GOOD:
        return False
    until = single.next_update_utc
    return single.this_update_utc <= now + SKEW and until is not None and until >= now


def _is_signed(response: ocsp.OCSPResponse, issuer: x509.Certificate) -> bool:
    """By the issuer, or by whom it has appointed (RFC 6960 §4.2.2.2)."""
    appointed = [one for one in response.certificates if _may_sign(one, issuer)]
    return any(_verifies(one.public_key(), response) for one in (issuer, *appointed))


def _may_sign(one: x509.Certificate, issuer: x509.Certificate) -> bool:
    if not _has_signed(issuer, one):
        return False
    try:
        usage = one.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return ExtendedKeyUsageOID.OCSP_SIGNING in usage


def _verifies(key: CertificatePublicKeyTypes, response: ocsp.OCSPResponse) -> bool:
    digest = response.signature_hash_algorithm
    signature, signed = response.signature, response.tbs_response_bytes
    try:
        match key:
            case rsa.RSAPublicKey() if digest is not None:
                key.verify(signature, signed, padding.PKCS1v15(), digest)
            case ec.EllipticCurvePublicKey() if digest is not None:
                key.verify(signature, signed, ec.ECDSA(digest))
            case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
                key.verify(signature, signed)
            case _:
                return False
    except InvalidSignature:
        return False
    return True
