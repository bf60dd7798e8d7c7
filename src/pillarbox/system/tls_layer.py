"""TLS as bytes in, bytes out: for connections that no event loop's transport carries, such as a pair of pipes (`exim -bs`)."""

from __future__ import annotations

import contextlib
import ssl

from pillarbox.ports.network import TlsSession

_PIECE = 65536


class TlsLayer:
    """The server's end of one TLS session. What is to be sent gathers in `outgoing`."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    def receive(self, data: bytes) -> None:
        """From the peer; nothing: its end has come."""
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def outgoing(self) -> bytes:
        return self._outgoing.read()

    def shake_hands(self) -> bool:
        """Whether the handshake is over; else more must be received. Raises ssl.SSLError."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def read(self) -> bytes | None:
        """Everything that has come; empty: the end; None: more must be received."""
        pieces: list[bytes] = []
        try:
            while piece := self.tls.read(_PIECE):
                pieces.append(piece)
        except ssl.SSLWantReadError:
            return b"".join(pieces) or None
        except ssl.SSLError:
            pass  # what comes is no TLS, or has been cut off: that is an end, too
        return b"".join(pieces)

    def write(self, data: bytes) -> None:
        self.tls.write(data)

    def end(self) -> None:
        """Say that nothing more comes."""
        with contextlib.suppress(ssl.SSLError):
            self.tls.unwrap()


def describe_cipher(tls: ssl.SSLObject) -> str:
    """Exim's form: `TLS1.3:TLS_AES_256_GCM_SHA384:256`."""
    cipher = tls.cipher()
    if cipher is None:
        return ""
    name, version, bits = cipher
    return f"{(tls.version() or version).replace('TLSv', 'TLS')}:{name}:{bits}"


def session_of(tls: ssl.SSLObject, own_certificate: bytes) -> TlsSession:
    """What came of the handshake. `own_certificate`: DER."""
    cipher = tls.cipher()
    return TlsSession(
        cipher=describe_cipher(tls),
        bits=cipher[2] if cipher else 0,
        sni=getattr(tls, "pillarbox_sni", ""),
        peer_certificate=tls.getpeercert(binary_form=True) or b"",
        own_certificate=own_certificate,
        is_resumed=bool(tls.session_reused),
        protocol=tls.selected_alpn_protocol() or "",
        is_peer_good=not getattr(tls, "flaw", 0),
        ocsp=getattr(tls, "ocsp", 0),
    )


def describe_failure(error: BaseException) -> str:
    """Of a handshake, in the library's words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return getattr(error, "reason", None) or str(error)  # ours have none
    return str(error) or type(error).__name__
