"""TLS contexts of clients, made once and kept; and the self-signed certificate of a first start. Servers' are server_tls.py's.

TLS 1.2 at least (RFC 8996). A client verifies nothing unless asked to, because without DANE or MTA-STS there is no name to verify
against that DNS did not give (RFC 7435).
"""

from __future__ import annotations

import datetime
import functools
import os
import ssl
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pillarbox.ports.network import TlsWish
from pillarbox.system.tls_rules import refuse_revoked, require_ciphers

MINIMUM = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}

MADE_UP_FOR = 2
"""Hours."""


class TlsFileError(Exception):
    """Certificate or key cannot be used; `str()` names the file and the reason."""


@functools.lru_cache(maxsize=64)
def client_context(wish: TlsWish) -> ssl.SSLContext:
    """One context for equal wishes. Names are not part of the context. Raises TlsFileError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = wish.verify == "require" and wish.verifies_name
    context.verify_mode = ssl.CERT_REQUIRED if wish.verify == "require" else ssl.CERT_NONE
    context.minimum_version = MINIMUM.get(wish.minimum, ssl.TLSVersion.TLSv1_2)
    try:
        if wish.verify == "require" and not wish.has_no_authorities:
            _trust(context, wish.ca_file)
        if wish.crl:
            refuse_revoked(context, wish.crl)
        if wish.ciphers:
            require_ciphers(context, wish.ciphers)
        if wish.alpn:
            context.set_alpn_protocols([wish.alpn])
        if wish.client_certificate:
            context.load_cert_chain(wish.client_certificate, wish.client_key or None)
        return context if wish.proof == "no" else _asking_for_proof(context, wish)
    except (OSError, ssl.SSLError, ValueError) as error:
        raise TlsFileError(str(error)) from error


def _asking_for_proof(like: ssl.SSLContext, wish: TlsWish) -> ssl.SSLContext:
    """Raises ssl.SSLError."""
    from pillarbox.system.openssl import OpenSslContext  # loads much, and is seldom needed

    context = OpenSslContext(like, is_server=False)
    if wish.verify == "require":
        if not wish.has_no_authorities:
            context.trust(wish.ca_file)
        context.look_at_peer(must_show=True, refuses=True, crl=wish.crl)
    if wish.client_certificate:
        context.load_pair(wish.client_certificate, wish.client_key or wish.client_certificate)
    if wish.alpn:
        context.openssl.set_alpn_protos([wish.alpn.encode("ascii")])
    context.ask_for_proof()
    return context


def _trust(context: ssl.SSLContext, authorities: str) -> None:
    """A file, a directory, or with nothing what the system trusts."""
    if not authorities:
        context.load_default_certs()
    elif os.path.isdir(authorities):
        context.load_verify_locations(capath=authorities)
    else:
        context.load_verify_locations(authorities)


def is_trusted(certificates: Sequence[bytes], wish: TlsWish) -> bool:
    """Whether a chain (DER, the server's own first) leads to somebody whom `wish` trusts, and is `wish.server_name`'s: what
    OpenSSL does not tell when it was not asked to refuse."""
    from cryptography import x509
    from cryptography.x509.verification import (
        Criticality,
        ExtensionPolicy,
        PolicyBuilder,
        VerificationError,
    )

    if not certificates or wish.has_no_authorities:
        return False
    try:
        store = _authorities(wish.ca_file)
        own, *between = [x509.load_der_x509_certificate(each) for each in certificates]
        names = x509.SubjectAlternativeName
        own_policy = ExtensionPolicy.permit_all().require_present(names, Criticality.AGNOSTIC, None)
        builder = PolicyBuilder().store(store)
        above = ExtensionPolicy.permit_all().require_present(
            x509.BasicConstraints, Criticality.AGNOSTIC, None
        )
        builder = builder.extension_policies(ca_policy=above, ee_policy=own_policy)
        if wish.verifies_name and wish.server_name:
            builder.build_server_verifier(_subject(wish.server_name)).verify(own, between)
        else:
            builder.build_client_verifier().verify(own, between)
    except (OSError, ValueError, VerificationError, x509.UnsupportedGeneralNameType):
        return False
    return True


def _subject(name: str) -> Any:
    import ipaddress

    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@functools.lru_cache(maxsize=16)
def _authorities(file: str) -> Any:
    """Raises OSError, ValueError."""
    from cryptography import x509
    from cryptography.x509.verification import Store

    path = file or ssl.get_default_verify_paths().cafile or ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old authorities' serial numbers
        return Store(x509.load_pem_x509_certificates(Path(path).read_bytes()))


def make_self_signed(certificate: Path, key: Path, names: tuple[str, ...]) -> None:
    """An ECDSA P-256 certificate for `names`, ten years, key readable by its owner only. Existing files are left alone."""
    if certificate.exists() and key.exists():
        return
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=3650))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256())
    )
    secret = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(key, secret, 0o600)
    _write(certificate, made.public_bytes(serialization.Encoding.PEM), 0o644)


def made_up(name: str) -> bytes:
    """A certificate and its key, PEM: what Exim makes for who has configured none."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    private = ec.generate_private_key(ec.SECP256R1())
    words = ((NameOID.COUNTRY_NAME, "UK"), (NameOID.ORGANIZATION_NAME, "Exim Developers"))
    subject = x509.Name(
        [
            x509.NameAttribute(which, word)
            for which, word in (*words, (NameOID.COMMON_NAME, name[:64] or "mx"))
        ]
    )
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(hours=MADE_UP_FOR))
        .sign(private, hashes.SHA256())
    )
    secret = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return secret + made.public_bytes(serialization.Encoding.PEM)


def _write(path: Path, data: bytes, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
    with open(descriptor, "wb") as file:
        file.write(data)
