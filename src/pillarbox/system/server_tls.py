"""TLS contexts of servers, made once for equal wishes and again when their files have changed.

Python's ssl module cannot do all of it: to staple OCSP proofs, and to let a client pass whose certificate is bad (Exim's
`tls_try_verify_hosts`), a context is made over pyOpenSSL (`openssl.py`; there `tls_eccurve` has no effect). A client that names only
protocols (ALPN) of others is let in, and one elliptic curve at most can be named.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import os
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pillarbox.ports.network import DialError, ServerTlsWish
from pillarbox.system.tls import TlsFileError, made_up
from pillarbox.system.tls_rules import refuse_revoked, require_ciphers

if TYPE_CHECKING:
    from pillarbox.system.ocsp import Proof
    from pillarbox.system.openssl import OpenSslContext

_SYSTEMS = ("system", "system,cache")
MOST_KEPT = 64
"""Contexts: one for each certificate and each way to use it."""
_KEEP_FOR_CLIENTS = 2
"""Session tickets for a client that may come back with them."""


class ServerTls:
    """A server's context with what the session wants to know of its certificate."""

    __slots__ = ("_made_up", "_plain", "_proofs", "_wish", "certificate", "certificate_digest", "context")

    def __init__(self, wish: ServerTlsWish) -> None:
        """Raises TlsFileError."""
        self._wish = wish
        self._made_up = b""
        self._proofs = _read_proofs(wish)
        self.context: ssl.SSLContext
        self.context = self._plain = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
        self.context.sni_callback = _remember
        for certificate, key in zip(wish.certificates, wish.keys, strict=True):
            _load(self.context, certificate, key)
        if wish.certificates:
            self.certificate = first_certificate(wish.certificates[0])
        else:
            self._made_up = made_up(wish.own_name)
            with _as_file(self._made_up) as path:
                _load(self.context, path, path)
            self.certificate = first_of_chain(self._made_up.decode("ascii"))
        """DER."""
        self.certificate_digest = hashlib.sha256(self.certificate).digest()
        try:
            _apply(self.context, wish)
        except (OSError, ssl.SSLError, ValueError) as error:
            raise TlsFileError(str(error)) from error
        if wish.verify == "try" or wish.proofs:
            self.context = self.with_openssl()

    @property
    def is_over_openssl(self) -> bool:
        return self.context is not self._plain

    def with_openssl(self) -> OpenSslContext:
        """The same over pyOpenSSL: it staples proofs, and lets who shows a bad certificate pass where that was worth a try. Each is a
        new one. Raises TlsFileError."""
        from pillarbox.system.openssl import OpenSslContext  # loads much, and is seldom needed

        wish = self._wish
        context = OpenSslContext(self._plain, is_server=True)
        try:
            for certificate, key in zip(wish.certificates, wish.keys, strict=True):
                context.load_pair(certificate, key)
            if self._made_up:
                with _as_file(self._made_up) as path:
                    context.load_pair(path, path)
            if wish.verify != "no":
                authorities = "" if wish.authorities in _SYSTEMS else wish.authorities
                if wish.authorities:
                    context.trust(authorities)
                must_show = wish.verify == "require"
                context.look_at_peer(must_show=must_show, refuses=must_show, crl=wish.crl)
            if wish.dh_parameters:
                context.openssl.load_tmp_dh(wish.dh_parameters.encode())
        except (OSError, ssl.SSLError, ValueError) as error:
            raise TlsFileError(str(error)) from error
        if wish.protocols:
            context.agree_on(wish.protocols)
        context.choose_by_name(lambda _: None)
        context.staple(self._proof_of)
        return context

    def _proof_of(self, shown: bytes) -> bytes:
        """As long as it holds."""
        proof = self._proofs.get(shown)
        if proof is None or (proof.until is not None and proof.until < datetime.datetime.now(datetime.UTC)):
            return b""
        return proof.der


def _read_proofs(wish: ServerTlsWish) -> dict[bytes, Proof]:
    """Certificate (DER) → proof of it. Raises TlsFileError."""
    found: dict[bytes, Proof] = {}
    for certificate, (form, path) in zip(wish.certificates, wish.proofs, strict=False):
        from pillarbox.system.ocsp import read_proof

        shown = first_certificate(certificate)
        try:
            found[shown] = read_proof(path, form, shown, datetime.datetime.now(datetime.UTC))
        except (OSError, ValueError) as error:
            raise TlsFileError(f"(OCSP stapling setup: {path}): {error}") from error
    return found


def _remember(handshake: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
    """`$tls_in_sni`."""
    handshake.pillarbox_sni = name or ""  # type: ignore[union-attr]


def _load(context: ssl.SSLContext, certificate: str, key: str) -> None:
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError, ValueError) as error:
        why = "no such file" if isinstance(error, FileNotFoundError) else error
        raise TlsFileError(f"(cert/key setup: cert={certificate} key={key}): {why}") from error


@contextlib.contextmanager
def _as_file(pem: bytes) -> Iterator[str]:
    """A path, for libraries that know nothing else. Nothing is written to a disk."""
    descriptor = os.memfd_create("certificate")
    try:
        os.write(descriptor, pem)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def first_certificate(certificate: str) -> bytes:
    """Of a file with a chain in PEM: its owner's, DER. Raises TlsFileError."""
    try:
        return first_of_chain(Path(certificate).read_text("latin-1"))
    except (OSError, ValueError) as error:
        raise TlsFileError(f"{certificate}: {error}") from error


def first_of_chain(pem: str) -> bytes:
    """DER. Raises ValueError."""
    begin = pem.index("-----BEGIN CERTIFICATE-----")
    end = pem.index("-----END CERTIFICATE-----", begin) + 25
    return ssl.PEM_cert_to_DER_cert(pem[begin:end])


def _apply(context: ssl.SSLContext, wish: ServerTlsWish) -> None:
    """Raises OSError, ssl.SSLError, ValueError."""
    if wish.verify != "no":
        context.verify_mode = ssl.CERT_REQUIRED if wish.verify == "require" else ssl.CERT_OPTIONAL
        _trust(context, wish.authorities)
    if wish.crl:
        refuse_revoked(context, wish.crl)
    if wish.ciphers:
        require_ciphers(context, wish.ciphers)
    if wish.curve:
        context.set_ecdh_curve(wish.curve)
    if wish.dh_parameters:
        context.load_dh_params(wish.dh_parameters)
    if wish.protocols:
        context.set_alpn_protocols(list(wish.protocols))
    context.options = (context.options | wish.options_on) & ~wish.options_off
    context.num_tickets = _KEEP_FOR_CLIENTS if wish.may_resume else 0
    if not wish.may_resume:
        context.options |= ssl.OP_NO_TICKET


def _trust(context: ssl.SSLContext, authorities: str) -> None:
    """A file, a directory, what the system trusts; with nothing nobody is trusted."""
    if authorities in _SYSTEMS:
        context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
    elif os.path.isdir(authorities):
        context.load_verify_locations(capath=authorities)
    elif authorities:
        context.load_verify_locations(authorities)


_Stamp = tuple[tuple[int, int, int], ...]
_made: dict[ServerTlsWish, tuple[_Stamp, ServerTls]] = {}


def server_tls(wish: ServerTlsWish) -> ServerTls:
    """One for equal wishes, as long as their files stay as they are. Raises TlsFileError."""
    stamp = _stamp(wish)
    known = _made.get(wish)
    if known is not None and known[0] == stamp:
        return known[1]
    made = ServerTls(wish)
    if len(_made) >= MOST_KEPT:
        _made.pop(next(iter(_made)))
    _made[wish] = (stamp, made)
    return made


def prepared_tls(wish: ServerTlsWish) -> ServerTls:
    """For a client that wants it now. Raises DialError("tls")."""
    try:
        return server_tls(wish)
    except TlsFileError as error:
        raise DialError("tls", str(error)) from error


def _stamp(wish: ServerTlsWish) -> _Stamp:
    """Of the files as they are now; 0s: there is none. A certificate that was made up is good for an hour."""
    if not wish.certificates:
        return ((int(time.time()) // 3600, 0, 0),)
    files = (*wish.certificates, *wish.keys, wish.crl, wish.authorities, wish.dh_parameters)
    files += tuple(path for _, path in wish.proofs)
    return tuple(_file_stamp(name) for name in files if name.startswith("/"))


def _file_stamp(name: str) -> tuple[int, int, int]:
    try:
        found = os.stat(name)
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def current_certificate(current: Callable[[], ServerTls | None]) -> ssl.SSLContext:
    """A context for a listening socket that outlives reloads: every handshake is done with the certificate of the moment."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2

    def choose(
        handshake: ssl.SSLObject | ssl.SSLSocket, name: str | None, context: ssl.SSLContext
    ) -> int | None:
        _remember(handshake, name, context)
        found = current()
        if found is None:
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
        handshake.context = found.context
        return None

    context.sni_callback = choose
    return context


def choosing_by_name(first: ServerTls, choose: Callable[[str], ServerTlsWish | None]) -> ssl.SSLContext:
    """A context whose certificate is chosen by the name that the client asks for; `choose` is asked once in each handshake. Raises
    TlsFileError."""
    if first.is_over_openssl:
        return _choosing_with_openssl(first, choose)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = first.context.verify_mode
    context.options = first.context.options

    def pick(
        handshake: ssl.SSLObject | ssl.SSLSocket, name: str | None, context: ssl.SSLContext
    ) -> int | None:
        _remember(handshake, name, context)
        wish = choose(name) if name else None
        try:
            handshake.context = (server_tls(wish) if wish is not None else first).context
        except TlsFileError:
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
        return None

    context.sni_callback = pick
    return context


def _choosing_with_openssl(first: ServerTls, choose: Callable[[str], ServerTlsWish | None]) -> ssl.SSLContext:
    """Here the first certificate stays where another cannot be had. Raises TlsFileError."""

    def pick(name: str) -> ssl.SSLContext | None:
        wish = choose(name) if name else None
        if wish is None:
            return None
        try:
            found = server_tls(wish)
            return found.context if found.is_over_openssl else found.with_openssl()
        except TlsFileError:
            return None

    context = first.with_openssl()
    context.choose_by_name(pick)
    return context
