"""GnuTLS priority strings, which Exims built with GnuTLS (Debian's) have in `tls_require_ciphers` (Exim 43.5): read into what they allow.

    NORMAL:-VERS-TLS1.1:%SERVER_PRECEDENCE      SECURE192:-CIPHER-ALL:+AES-256-GCM      NONE:+VERS-TLS1.3:+AES-256-GCM:+AEAD:+ECDHE-RSA

A keyword says what is allowed to begin with, and each word behind it takes away (`-`, `!`) or adds (`+`). What no TLS of ours does is allowed
in vain. `SUITEB128` and `SUITEB192` mean the same to OpenSSL, and are not read here.

Known gap: signature algorithms, curves and groups can be named only all together, or where what goes is never used anyway.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

_TLS = ("TLS1.2", "TLS1.3")
_STRONGEST = ("AES-256-GCM", "CHACHA20-POLY1305", "AES-256-CCM", "AES-256-CBC")
_STRONG = (*_STRONGEST, "AES-128-GCM", "AES-128-CCM", "AES-128-CBC")
_FORWARD = ("ECDHE-ECDSA", "ECDHE-RSA", "DHE-RSA")
_MACS = ("AEAD", "SHA1", "SHA256", "SHA384")


class Priority(msgspec.Struct, frozen=True):
    """In GnuTLS's names."""

    versions: frozenset[str] = frozenset(_TLS)
    ciphers: frozenset[str] = frozenset(_STRONG)
    macs: frozenset[str] = frozenset(_MACS)
    exchanges: frozenset[str] = frozenset((*_FORWARD, "RSA"))


_NORMAL = Priority()
_KEYWORDS: Mapping[str, Priority] = {
    "NORMAL": _NORMAL,
    "PERFORMANCE": _NORMAL,
    "SECURE128": _NORMAL,
    "SECURE192": Priority(ciphers=frozenset(_STRONGEST), macs=frozenset(("AEAD", "SHA384"))),
    "SECURE256": Priority(ciphers=frozenset(_STRONGEST), macs=frozenset(("AEAD", "SHA384"))),
    "PFS": Priority(exchanges=frozenset(_FORWARD)),
    "LEGACY": _NORMAL,
    "SYSTEM": _NORMAL,
    "@SYSTEM": _NORMAL,
    "NONE": Priority(frozenset(), frozenset(), frozenset(), frozenset()),
}
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "versions": (
        *_TLS, "SSL3.0", "TLS1.0", "TLS1.1", "DTLS1.0", "DTLS1.2", "DTLS0.9",
    ),
    "ciphers": (
        *_STRONG, "AES-128-CCM-8", "AES-256-CCM-8", "AES-192-CBC", "CAMELLIA-128-CBC", "CAMELLIA-192-CBC", "CAMELLIA-256-CBC",
        "CAMELLIA-128-GCM", "CAMELLIA-256-GCM", "3DES-CBC", "DES-CBC", "ARCFOUR-128", "ARCFOUR-40", "RC2-40", "NULL",
    ),
    "macs": (*_MACS, "MD5", "SHA512", "UMAC-96", "UMAC-128"),
    "exchanges": (
        *_FORWARD, "RSA", "RSA-EXPORT", "DHE-DSS", "PSK", "DHE-PSK", "ECDHE-PSK", "RSA-PSK", "SRP", "SRP-RSA", "SRP-DSS", "ANON-DH",
        "ANON-ECDH", "GOSTR341112-256-KX",
    ),
}  # fmt: skip
"""Field → names that may stand there."""
_ALL = {
    "VERS-TLS-ALL": "versions",
    "VERS-ALL": "versions",
    "CIPHER-ALL": "ciphers",
    "MAC-ALL": "macs",
    "KX-ALL": "exchanges",
}
_FIELD_OF = {
    **{f"VERS-{name}": ("versions", name) for name in _FIELDS["versions"]},
    **{name: (field, name) for field in ("ciphers", "macs", "exchanges") for name in _FIELDS[field]},
    "AES-128": ("ciphers", "AES-128-CBC"),
    "AES-256": ("ciphers", "AES-256-CBC"),
    "DHE": ("exchanges", "DHE-RSA"),
    "ECDHE": ("exchanges", "ECDHE-RSA"),
}
_SWITCHES = frozenset(
    (
        "%COMPAT", "%DUMBFW", "%NO-EXTENSIONS", "%NO-STATUS-REQUEST", "%NO-TICKETS", "%NO-TICKETS-TLS12", "%SERVER-PRECEDENCE",
        "%SSL3-RECORD-VERSION", "%LATEST-RECORD-VERSION", "%STATELESS-COMPRESSION", "%DISABLE-WILDCARDS", "%NO-ETM",
        "%DISABLE-SAFE-RENEGOTIATION", "%UNSAFE-RENEGOTIATION", "%PARTIAL-RENEGOTIATION", "%SAFE-RENEGOTIATION",
        "%FALLBACK-SCSV", "%DISABLE-TLS13-COMPAT-MODE", "%PROFILE-LOW", "%PROFILE-LEGACY", "%PROFILE-MEDIUM",
        "%VERIFY-ALLOW-SIGN-RSA-MD5", "%VERIFY-ALLOW-SIGN-WITH-SHA1", "%VERIFY-ALLOW-X509-V1-CA-CRT", "%VERIFY-DISABLE-CRL-CHECKS",
        "%VERIFY-ALLOW-BROKEN", "%KEYID-HASH",
    )
)  # fmt: skip
"""Manners of GnuTLS itself: they are passed over."""
_ONLY_ETM = "%FORCE-ETM"
"""CBC only with encrypt-then-MAC, which OpenSSL cannot insist on: no CBC."""
_PASSED_OVER = (
    "COMP-",
    "CTYPE-",
    "SIGN-ALL",
    "CURVE-ALL",
    "GROUP-ALL",
    "SIGN-RSA-MD5",
    "SIGN-RSA-SHA1",
    "SIGN-DSA-",
)


def is_priority_string(text: str) -> bool:
    """And not a list in OpenSSL's words."""
    return text.partition(":")[0].strip().upper() in _KEYWORDS


def read_priority_string(text: str) -> Priority:
    """Raises ValueError, which names the word."""
    keyword, *words = (word.strip().upper().replace("_", "-") for word in text.split(":"))
    known = _KEYWORDS[keyword]
    sets = {field: set[str](getattr(known, field)) for field in _FIELDS}
    for word in filter(None, words):
        if word != _ONLY_ETM:
            _follow(word, sets)
    if _ONLY_ETM in words:
        sets["ciphers"] = {name for name in sets["ciphers"] if not name.endswith("-CBC")}
    return Priority(**{field: frozenset(names) for field, names in sets.items()})


def _follow(word: str, sets: dict[str, set[str]]) -> None:
    sign, name = word[0], word[1:]
    if word in _SWITCHES or (sign in "+-!" and name.startswith(_PASSED_OVER)):
        return
    if sign not in "+-!" or (name not in _ALL and name not in _FIELD_OF):
        raise ValueError(
            f'"{word}" of a GnuTLS priority string is not known, or cannot be followed with OpenSSL'
        )
    field, single = (_ALL[name], "") if name in _ALL else _FIELD_OF[name]
    names = {single} if single else set(_FIELDS[field])
    if sign == "+":
        sets[field] |= names
    else:
        sets[field] -= names
