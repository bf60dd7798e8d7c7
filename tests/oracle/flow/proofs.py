"""OCSP proofs, good and bad, about a certificate of trustme's; and who may sign them."""

from __future__ import annotations

import base64
import datetime

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = datetime.timedelta(days=1)


def proofs(authority: trustme.CA, own: trustme.LeafCert) -> dict[str, bytes]:
    """`good`, `revoked`, `unknown`, `expired`, `stranger` (signed by somebody else), `appointed` (by a delegate) in DER; `pem`."""
    issuer = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
    key = load_pem_private_key(authority.private_key_pem.bytes(), None)
    about = x509.load_pem_x509_certificate(own.cert_chain_pems[0].bytes())
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    now = datetime.datetime.now(datetime.UTC)

    def made(
        status: ocsp.OCSPCertStatus,
        signer: x509.Certificate = issuer,
        signer_key: ec.EllipticCurvePrivateKey = key,
        days: int = 1,
    ) -> bytes:
        is_revoked = status is ocsp.OCSPCertStatus.REVOKED
        builder = ocsp.OCSPResponseBuilder().add_response(
            about,
            issuer,
            hashes.SHA1(),
            status,
            now - 9 * _DAY,
            now + days * _DAY,
            now - 9 * _DAY if is_revoked else None,
            x509.ReasonFlags.key_compromise if is_revoked else None,
        )
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.NAME, signer)
        if signer is not issuer:
            builder = builder.certificates([signer])
        return builder.sign(signer_key, hashes.SHA256()).public_bytes(Encoding.DER)

    good = made(ocsp.OCSPCertStatus.GOOD)
    text = base64.encodebytes(good)
    return {
        "good": good,
        "pem": b"-----BEGIN OCSP RESPONSE-----\n" + text + b"-----END OCSP RESPONSE-----\n",
        "revoked": made(ocsp.OCSPCertStatus.REVOKED),
        "unknown": made(ocsp.OCSPCertStatus.UNKNOWN),
        "expired": made(ocsp.OCSPCertStatus.GOOD, days=-2),
        "stranger": made(ocsp.OCSPCertStatus.GOOD, *_signer(None, None)),
        "appointed": made(ocsp.OCSPCertStatus.GOOD, *_signer(issuer, key)),
    }


def _signer(
    issuer: x509.Certificate | None, key: ec.EllipticCurvePrivateKey | None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """One whom `issuer` has appointed; None: one of its own."""
    own = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "signer")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.subject if issuer else name)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 10 * _DAY)
        .not_valid_after(now + 10 * _DAY)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), critical=False)
        .sign(key or own, hashes.SHA256())
    )
    return made, own
