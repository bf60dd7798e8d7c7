"""Outgoing connections: byte streams to one address, with TLS in the middle of them.

`Connection` is what the client engines are driven over. Every wait has a bound; every failure is an exception of the family
`DialError`, whose `error` is the word that Exim's retry rules use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, Protocol

import msgspec


class DialError(Exception):
    """The connection could not be made or was lost. `error`: `refused`, `timeout_connect`, `timeout`, `lost_connection`,
    `unreachable`, `net_unreachable`, `not_our_address` (to connect from), `tls`; `str()` is the text for the log."""

    def __init__(self, error: str, text: str) -> None:
        super().__init__(text)
        self.error = error


class TlsWish(msgspec.Struct, frozen=True):
    """How to do TLS with this host. Opportunistic delivery verifies nothing (RFC 7435)."""

    server_name: str = ""
    """Whose certificate it must be, and whom we ask for unless `sni` says otherwise."""
    verify: Literal["no", "try", "require"] = "no"
    """`require`: refuse a certificate that does not chain to a known CA; `try`: look whether it does, and go on."""
    verifies_name: bool = True
    """It must bear `server_name` too."""
    minimum: str = "TLSv1.2"
    ca_file: str = ""
    """Of certificates; a directory will do; empty: the system's."""
    has_no_authorities: bool = False
    """Nobody is trusted: no certificate is good."""
    client_certificate: str = ""
    client_key: str = ""
    crl: str = ""
    ciphers: str = ""
    """`tls_require_ciphers`."""
    sni: str = ""
    alpn: str = ""
    """The protocol name to offer."""
    requires_alpn: bool = False
    """No session without agreement on it."""
    proof: Literal["no", "ask", "require"] = "no"
    """Of the server's certificate, by OCSP stapling."""


class ServerTlsWish(msgspec.Struct, frozen=True):
    """How to do TLS with this client. Files are named by path."""

    certificates: tuple[str, ...]
    """Chains, PEM: one for each kind of key."""
    keys: tuple[str, ...]
    """As many."""
    own_name: str = ""
    """Without certificates: one is made up, in this name."""
    verify: Literal["no", "try", "require"] = "no"
    """`try`: ask for a certificate, and look at what is shown; `require`: go on only with a good one."""
    authorities: str = "system"
    """A file, a directory, `system`; empty: nobody is trusted."""
    crl: str = ""
    ciphers: str = ""
    """`tls_require_ciphers`."""
    curve: str = ""
    dh_parameters: str = ""
    """A file."""
    protocols: tuple[str, ...] = ()
    """ALPN."""
    options_on: int = 0
    options_off: int = 0
    """OpenSSL's bits."""
    may_resume: bool = False
    """The client may take up an earlier session."""
    proofs: tuple[tuple[str, str], ...] = ()
    """To staple, as many as certificates: (`DER` or `PEM`, file)."""


class TlsSession(msgspec.Struct, frozen=True):
    """What came of a handshake."""

    cipher: str = ""
    """Exim's form, `TLS1.3:TLS_AES_256_GCM_SHA384:256`."""
    bits: int = 0
    sni: str = ""
    """The name that the client has asked for."""
    peer_certificate: bytes = b""
    """DER; empty: none was shown."""
    own_certificate: bytes = b""
    is_resumed: bool = False
    protocol: str = ""
    """ALPN: what both know; empty: the client named nothing that we know."""
    is_peer_good: bool = True
    """Nothing is wrong with the certificate that was shown, where somebody looked at it."""
    ocsp: int = 0
    """What became of OCSP stapling, as in `$tls_in_ocsp`: 0 nobody asked, 1 no answer, 2 nobody looked at it, 3 no good, 4 good."""


class SocketWish(msgspec.Struct, frozen=True, gc=False):
    """What the socket itself is to be like."""

    keepalive: bool = True
    dscp: int = -1
    """Six bits; -1: as it is."""
    host: str = ""
    """Whose it is to be, for those who look on (`-v`)."""
    proxied: str = ""
    """`address:port` of that host, when the connection leads to a proxy."""
    fast_open: Literal["no", "try", "too_late"] = "no"
    """Whether TCP Fast Open is wished for; `too_late`: it is not the first host. It is not done, only told of."""


class Connection(Protocol):
    @property
    def tls_cipher(self) -> str:
        """Exim's form, `TLS1.3:TLS_AES_256_GCM_SHA384:256`; empty without TLS."""
        ...

    @property
    def is_verified(self) -> bool:
        """The peer's certificate was looked at and is good."""
        ...

    @property
    def peer_name(self) -> str:
        """Of the peer's certificate, as in `CN=mx.example.org,O=Example`; empty without one."""
        ...

    def peer_chain(self) -> list[bytes]:
        """The peer's certificates as it has sent them, its own first, DER; empty without TLS."""
        ...

    @property
    def local_address(self) -> tuple[str, int]: ...

    def tls_session(self) -> TlsSession | None:
        """What came of the handshake; None without TLS."""
        ...

    async def read(self, timeout: float) -> bytes:
        """Whatever has come; `b""` at the end of the stream. Raises DialError("timeout")."""
        ...

    def unread(self, data: bytes) -> None:
        """What was read too much is read again."""
        ...

    async def write(self, data: bytes, timeout: float) -> None:
        """Hand over and wait while the peer is slow. Raises DialError."""
        ...

    async def start_tls(self, wish: TlsWish, timeout: float) -> None:
        """Raises DialError("tls")."""
        ...

    def as_server(self) -> ServedConnection:
        """The same connection, for who goes on as the server of it (ATRN)."""
        ...

    def close(self) -> None:
        """At once, without waiting."""
        ...


class ServedConnection(Protocol):
    """A connection that a client has made to us; raises DialError as `Connection` does."""

    @property
    def tls_cipher(self) -> str: ...

    @property
    def tls_sni(self) -> str: ...

    @property
    def peer_address(self) -> tuple[str, int]: ...

    @property
    def local_address(self) -> tuple[str, int]: ...

    @property
    def awaits_input(self) -> bool:
        """Whether the session waits for the client, in `read`."""
        ...

    async def read(self, timeout: float) -> bytes: ...

    async def write(self, data: bytes, timeout: float) -> None: ...

    def prepare_tls_server(self, wish: ServerTlsWish) -> None:
        """Look whether it can be done, before the client is told to begin. Raises DialError("tls")."""
        ...

    async def start_tls_server(
        self,
        timeout: float,
        wish: ServerTlsWish | None = None,
        choose: Callable[[str], ServerTlsWish | None] | None = None,
    ) -> None:
        """The server's side of a handshake; without a wish, with the certificate of the present configuration. `choose` is asked for
        another wish by the name that the client gives. Raises DialError("tls")."""
        ...

    def tls_session(self) -> TlsSession | None:
        """None without TLS."""
        ...

    def shape(self, *, keepalive: bool, dscp: int) -> None:
        """Of the socket, where there is one: TCP keepalive, and the class of service of its packets (-1: as it is)."""
        ...

    def pending(self) -> bool:
        """Whether bytes have come that were not read yet."""
        ...

    def unread(self, data: bytes) -> None:
        """They come again with the next `read`, or belong to the handshake that follows."""
        ...

    def channel_bindings(self) -> Mapping[str, bytes]:
        """By type name (RFC 5929); empty without TLS."""
        ...

    def as_client(self) -> Connection | None:
        """The same connection, for who goes on as the client of it; None: the other end cannot be a server."""
        ...

    def close(self) -> None:
        """What was written still goes out."""
        ...


class Network(Protocol):
    async def connect(
        self,
        address: str,
        port: int,
        *,
        timeout: float,
        interface: str = "",
        tls: TlsWish | None = None,
        socket: SocketWish | None = None,
    ) -> Connection:
        """TCP to an IP address. `tls`: begin with TLS (`protocol = smtps`). Raises DialError."""
        ...

    async def connect_unix(self, path: str, *, timeout: float) -> Connection:
        """To a UNIX socket (LMTP). Raises DialError."""
        ...

    def local_addresses(self) -> frozenset[str]:
        """Addresses of this machine's interfaces: the `self` test of dnslookup and manualroute."""
        ...
