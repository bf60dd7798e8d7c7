"""DANE: whether a chain of certificates is the one that TLSA records tell of (RFC 6698, RFC 7671; for SMTP RFC 7672).

For mail only the usages 2 (an authority of the domain's choice) and 3 (the very certificate or key of the host) count (RFC 7672 §3.1.3).
A record of usage 3 is all that is to be known: names and times in the certificate do not matter (§3.1.1). With usage 2 the chain must lead to
that authority, and the certificate must bear the host's name.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from pillarbox.wire.tlsa import AUTHORITY, CERTIFICATE, DIGESTS, HOST, KEY, Tlsa

_MOST = 10
"""Certificates of a chain that are looked at."""


def vouching_usage(records: Sequence[Tlsa], chain: Sequence[bytes], names: Sequence[str]) -> int:
    """Which usage vouches for the chain (DER, the host's own first); 0: none does. `names`: one of them the certificate must bear."""
    try:
        certificates = [x509.load_der_x509_certificate(each) for each in chain[:_MOST]]
    except ValueError:
        return 0
    if not certificates:
        return 0
    for record in records:
        if record.usage == HOST and record.is_usable and _is_told_of(certificates[0], record):
            return HOST
    for record in records:
        if record.usage == AUTHORITY and record.is_usable and _leads_to(certificates, record, names):
            return AUTHORITY
    return 0


def _is_told_of(certificate: x509.Certificate, record: Tlsa) -> bool:
    if record.selector == KEY:
        told = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    else:
        told = certificate.public_bytes(Encoding.DER)
    return DIGESTS[record.matching](told) == record.data


def _leads_to(chain: Sequence[x509.Certificate], record: Tlsa, names: Sequence[str]) -> bool:
    """The authority is in the chain, or the record itself holds it (RFC 7671 §5.2)."""
    trusted = [each for each in chain[1:] if _is_told_of(each, record)]
    if record.selector == CERTIFICATE and record.matching == 0:
        try:
            trusted.append(x509.load_der_x509_certificate(record.data))
        except ValueError:
            return False
    return bool(trusted) and any(_verifies(chain, trusted, name) for name in names)


def _verifies(chain: Sequence[x509.Certificate], trusted: list[x509.Certificate], name: str) -> bool:
    any_own = ExtensionPolicy.permit_all().require_present(
        x509.SubjectAlternativeName, Criticality.AGNOSTIC, None
    )
    above = ExtensionPolicy.permit_all().require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)
    builder = PolicyBuilder().store(Store(trusted)).extension_policies(ca_policy=above, ee_policy=any_own)
    try:
        builder.build_server_verifier(x509.DNSName(name)).verify(chain[0], list(chain[1:]))
    except (ValueError, VerificationError, x509.UnsupportedGeneralNameType):
        return False
    return True
