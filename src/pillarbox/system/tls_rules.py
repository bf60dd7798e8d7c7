"""What clients' and servers' TLS contexts are told alike: ciphers, and certificates that were revoked.

`tls_require_ciphers` is a list in OpenSSL's words, or a GnuTLS priority string. Python's ssl cannot choose among the suites of TLS 1.3, which
are all good: there a priority string only says whether that version is spoken.
"""

from __future__ import annotations

import ssl
from typing import Any

from pillarbox.wire.priority_string import Priority, is_priority_string, read_priority_string

_EXCHANGES = {
    ("kx-ecdhe", "auth-ecdsa"): "ECDHE-ECDSA",
    ("kx-ecdhe", "auth-rsa"): "ECDHE-RSA",
    ("kx-dhe", "auth-rsa"): "DHE-RSA",
    ("kx-rsa", "auth-rsa"): "RSA",
}
"""OpenSSL's (kea, auth) → GnuTLS's name."""


def require_ciphers(context: ssl.SSLContext, text: str) -> None:
    """Raises ValueError, ssl.SSLError. An underscore is as good as a hyphen, as Exim has it."""
    text = text.replace("_", "-")
    if not is_priority_string(text):
        context.set_ciphers(text)
        return
    allowed = read_priority_string(text)
    context.set_ciphers("ALL:!aNULL:!eNULL")
    names = [suite["name"] for suite in context.get_ciphers() if _is_allowed(suite, allowed)]
    has_new, has_old = "TLS1.3" in allowed.versions, "TLS1.2" in allowed.versions and bool(names)
    if not (has_new or has_old):
        raise ValueError(f"{text}: nothing is left that TLS could do")
    if not has_old:
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        return
    context.set_ciphers(":".join(names))
    if not has_new:
        context.maximum_version = ssl.TLSVersion.TLSv1_2


def _is_allowed(suite: Any, allowed: Priority) -> bool:
    """Of those before TLS 1.3."""
    cipher = str(suite["symmetric"]).upper()
    mac = "AEAD" if suite["aead"] else str(suite["digest"]).upper()
    exchange = _EXCHANGES.get((suite["kea"], suite["auth"]))
    return cipher in allowed.ciphers and mac in allowed.macs and exchange in allowed.exchanges


def refuse_revoked(context: ssl.SSLContext, file: str) -> None:
    """By a CRL, PEM. Raises OSError, ssl.SSLError."""
    context.load_verify_locations(file)
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
