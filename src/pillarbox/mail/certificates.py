"""X.509 certificates as the log and strings show them: DER in, text out (RFC 5280).

Names are written as RFC 4514 writes their parts, but in the certificate's order, as Exim with GnuTLS has them: `O=Example,CN=mx.example.org`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509


def name_of(certificate: bytes) -> str:
    """The subject; empty when it cannot be read."""
    from cryptography import x509

    try:
        return distinguished(x509.load_der_x509_certificate(certificate).subject)
    except ValueError:
        return ""


def distinguished(name: x509.Name) -> str:
    return ",".join(part.rfc4514_string() for part in name.rdns)
