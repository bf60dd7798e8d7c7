"""A TLS context over pyOpenSSL, for the little that Python's own ssl module cannot do: OCSP stapling (RFC 6066 §8), and looking at a
certificate without refusing a bad one.

It stands where an `ssl.SSLContext` does: event loops ask a context for an object over two buffers (`wrap_bio`), and here they get one of
pyOpenSSL's that bears the names and raises the errors of `ssl.SSLObject`. What both can do is set up in an `ssl.SSLContext` first and
taken over from there. Loaded when first needed.
"""

from __future__ import annotations

import contextlib
import os
import ssl
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL, crypto

T = TypeVar("T")
_PIECE = 65536
UNANSWERED, FAILED, PROVEN = 1, 3, 4
"""What became of stapling. As a server Exim does not see with GnuTLS that a proof goes out in TLS 1.3, and says that there was no answer."""
_NEW_SUITES = "TLS_"
"""How the names of TLS 1.3's begin: those are not chosen by `set_cipher_list`."""


class OpenSslContext(ssl.SSLContext):
    """`openssl` is the real one; of the `ssl.SSLContext` itself nothing is used."""

    def __new__(cls, like: ssl.SSLContext, *, is_server: bool) -> OpenSslContext:
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER if is_server else ssl.PROTOCOL_TLS_CLIENT)

    def __init__(self, like: ssl.SSLContext, *, is_server: bool) -> None:
        """Versions, ciphers and switches as in `like`."""
        super().__init__()
        self.check_hostname = like.check_hostname
        self.verify_mode = like.verify_mode
        self.openssl = SSL.Context(SSL.TLS_SERVER_METHOD if is_server else SSL.TLS_CLIENT_METHOD)
        self.openssl.set_min_proto_version(max(int(like.minimum_version), SSL.TLS1_2_VERSION))
        if like.maximum_version is not ssl.TLSVersion.MAXIMUM_SUPPORTED:
            self.openssl.set_max_proto_version(int(like.maximum_version))
        names = [suite["name"] for suite in like.get_ciphers() if not suite["name"].startswith(_NEW_SUITES)]
        self.openssl.set_cipher_list(":".join(names).encode("ascii") or b"DEFAULT")
        self.openssl.set_options(int(like.options))
        self.openssl.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        self.asks_proof = False
        """As a client: for an OCSP proof."""

    def load_pair(self, certificate: str, key: str) -> None:
        """PEM files. Raises ssl.SSLError."""
        try:
            self.openssl.use_certificate_chain_file(certificate)
            self.openssl.use_privatekey_file(key)
        except SSL.Error as error:
            raise ssl.SSLError(1, _words(error)) from error

    def trust(self, authorities: str) -> None:
        """A file, a directory, or with nothing what the system trusts."""
        if not authorities:
            usual = ssl.get_default_verify_paths()
            self.openssl.load_verify_locations(usual.cafile, usual.capath)
        elif os.path.isdir(authorities):
            self.openssl.load_verify_locations(None, authorities)
        else:
            self.openssl.load_verify_locations(authorities)

    def look_at_peer(self, *, must_show: bool, refuses: bool, crl: str) -> None:
        """The peer's certificate is asked for and looked at. `refuses`: a bad one ends the handshake."""
        mode = SSL.VERIFY_PEER | (SSL.VERIFY_FAIL_IF_NO_PEER_CERT if must_show else 0)

        def note(connection: SSL.Connection, _: crypto.X509, number: int, __: int, good: int) -> bool:
            if not good:
                connection.get_app_data().flaw = number
            return bool(good) or not refuses

        self.openssl.set_verify(mode, note)
        if crl:
            store = self.openssl.get_cert_store()
            assert store is not None
            store.load_locations(crl)
            store.set_flags(crypto.X509StoreFlags.CRL_CHECK)

    def agree_on(self, protocols: Iterable[str]) -> None:
        """As a server. Without agreement: as if the client had named nothing."""
        known = [name.encode("ascii") for name in protocols]

        def select(_: SSL.Connection, offered: list[bytes]) -> Any:
            return next((name for name in known if name in offered), SSL.NO_OVERLAPPING_PROTOCOLS)

        self.openssl.set_alpn_select_callback(select)

    def staple(self, proof_for: Callable[[bytes], bytes]) -> None:
        """`proof_for`: asked for the proof (DER; empty: there is none) of the certificate (DER) that is shown to who wants one."""

        def answer(connection: SSL.Connection, _: object) -> bytes:
            shown = connection.get_certificate()
            proof = proof_for(shown.to_cryptography().public_bytes(Encoding.DER)) if shown else b""
            is_seen = bool(proof) and connection.get_protocol_version() < SSL.TLS1_3_VERSION
            connection.get_app_data().ocsp = PROVEN if is_seen else UNANSWERED
            return proof

        self.openssl.set_ocsp_server_callback(answer)

    def ask_for_proof(self) -> None:
        """As a client; what came of it is the object's `proof`."""

        def take(connection: SSL.Connection, proof: bytes, _: object) -> bool:
            connection.get_app_data().proof = proof
            return True

        self.openssl.set_ocsp_client_callback(take)
        self.asks_proof = True

    def choose_by_name(self, choose: Callable[[str], ssl.SSLContext | None]) -> None:
        """As a server: another OpenSslContext, asked for once a client has said whom it wants."""

        def pick(connection: SSL.Connection) -> None:
            name = (connection.get_servername() or b"").decode("ascii", "replace")
            connection.get_app_data().pillarbox_sni = name
            found = choose(name)
            if isinstance(found, OpenSslContext):
                connection.set_context(found.openssl)

        self.openssl.set_tlsext_servername_callback(pick)

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> Any:
        name = server_hostname.encode("ascii") if isinstance(server_hostname, str) else server_hostname
        return OpenSslObject(self, incoming, outgoing, None if server_side else name or b"")


class OpenSslObject:
    """What `ssl.SSLObject` is to its callers: event loops, and `system.tls_layer`."""

    def __init__(
        self, context: OpenSslContext, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, name: bytes | None
    ) -> None:
        """`name`: of the server; None: that is us."""
        self._incoming, self._outgoing = incoming, outgoing
        self.context = context
        self.pillarbox_sni = ""
        self.flaw = 0
        """OpenSSL's number of what is wrong with the peer's certificates; 0: nothing was seen."""
        self.ocsp = 0
        """What became of stapling (`TlsSession`)."""
        self.proof = b""
        """Of the server's certificate, as it came; DER."""
        self._may_read = False
        """Something has come since reading brought nothing."""
        self._connection = connection = SSL.Connection(context.openssl, None)
        connection.set_app_data(self)
        if name is None:
            connection.set_accept_state()
            return
        connection.set_connect_state()
        if name and not _is_address(name):
            connection.set_tlsext_host_name(name)
        if context.asks_proof:
            connection.request_ocsp()

    def do_handshake(self) -> None:
        self._do(self._connection.do_handshake)

    def read(self, length: int = _PIECE, buffer: Any = None) -> Any:
        """Bytes, or how many are in the `buffer` now."""
        try:
            data = self._do(lambda: self._connection.recv(length or _PIECE))
        except ssl.SSLZeroReturnError:
            data = b""
        if buffer is None:
            return data
        memoryview(buffer)[: len(data)] = data
        return len(data)

    def write(self, data: Any) -> int:
        return self._do(lambda: self._connection.send(bytes(data)))

    def unwrap(self) -> None:
        if not self._do(self._connection.shutdown):
            self._do(lambda: self._connection.recv(1))  # which is their end, or nothing yet
            raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "the peer has not ended")

    def pending(self) -> int:
        """At least one as long as reading may bring something: event loops look at this, and at their own buffer, which is empty."""
        return self._connection.pending() or int(self._may_read)

    def getpeercert(self, binary_form: bool = False) -> Any:
        """Only of who was asked for one, as `ssl` has it; what stands in it is not spelt out."""
        found = self._connection.get_peer_certificate(as_cryptography=True)
        if found is None:
            return None
        return found.public_bytes(Encoding.DER) if binary_form else {}

    def get_unverified_chain(self) -> list[Any]:
        return [
            _Shown(each.public_bytes(Encoding.DER))
            for each in self._connection.get_peer_cert_chain(as_cryptography=True) or ()
        ]

    def cipher(self) -> tuple[str, str, int] | None:
        name = self._connection.get_cipher_name()
        if name is None:
            return None
        return name, self._connection.get_cipher_version() or "", self._connection.get_cipher_bits() or 0

    def version(self) -> str:
        return self._connection.get_protocol_version_name()

    def compression(self) -> None:
        return None

    def selected_alpn_protocol(self) -> str | None:
        return self._connection.get_alpn_proto_negotiated().decode("ascii", "replace") or None

    @property
    def session_reused(self) -> bool:
        """There is no memory of sessions here."""
        return False

    def get_channel_binding(self, cb_type: str = "tls-unique") -> None:
        return None

    def _do(self, act: Callable[[], T]) -> T:
        """With all that has come, and sending all that comes of it. Raises ssl.SSLError."""
        while data := self._incoming.read(_PIECE):
            self._connection.bio_write(data)
            self._may_read = True
        if self._incoming.eof:
            self._connection.bio_shutdown()
        try:
            return act()
        except SSL.WantReadError:
            self._may_read = False
            raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "more must come") from None
        except SSL.ZeroReturnError:
            raise ssl.SSLZeroReturnError(ssl.SSL_ERROR_ZERO_RETURN, "the peer has ended") from None
        except SSL.SysCallError as error:
            raise ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "the connection ended without a word") from error
        except SSL.Error as error:
            raise ssl.SSLError(ssl.SSL_ERROR_SSL, _words(error)) from error
        finally:
            with contextlib.suppress(SSL.Error):
                while True:
                    self._outgoing.write(self._connection.bio_read(_PIECE))


class _Shown:
    """A certificate, as `ssl` hands it out from its private places."""

    __slots__ = ("_der",)

    def __init__(self, der: bytes) -> None:
        self._der = der

    def public_bytes(self, _: int) -> bytes:
        return self._der


def _is_address(name: bytes) -> bool:
    return b":" in name or not name.strip(b"0123456789.")


def _words(error: SSL.Error) -> str:
    """OpenSSL's reason."""
    found = error.args[0] if error.args else ()
    return str(found[-1][-1]) if isinstance(found, list) and found else str(error) or type(error).__name__
