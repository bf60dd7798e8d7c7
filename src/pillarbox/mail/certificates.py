"""X.509 certificates as the log and strings show them: DER in, text out (RFC 5280, RFC 4514)."""

from __future__ import annotations


def name_of(certificate: bytes) -> str:
    """The subject: `CN=mx.example.org,O=Example`; empty when it cannot be read."""
    from cryptography import x509

    try:
        return x509.load_der_x509_certificate(certificate).subject.rfc4514_string()
    except ValueError:
        return ""
