"""How to talk: what the transport's options come to for one job, and for one host.

The attempt knows nothing of options and their lists: it is given these two small values.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from pillarbox.flow.transport.attempt.early import Capabilities
from pillarbox.flow.transport.attempt.proxying import Proxy
from pillarbox.flow.transport.attempt.session import Session
from pillarbox.flow.transport.attempt.target import Target
from pillarbox.flow.transport.attempt.trouble import Trouble
from pillarbox.flow.transport.events import Events
from pillarbox.ports.dns import Resolver
from pillarbox.ports.network import SocketWish, TlsWish

_NO_TLS_WISH = TlsWish()


class Manners(msgspec.Struct, frozen=True):
    """What the host lists say of one host."""

    tls: str = "try"
    """`avoid`, `try`, `require` (STARTTLS), or `first` (TLS from the first byte)."""
    tls_wish: TlsWish = _NO_TLS_WISH
    may_ask_for_proof: bool = False
    """Of the certificate, by OCSP: nobody has wished for it, but who looks on may see it."""
    clear_after_tls_failure: bool = True
    """`tls_tempfail_tryclear`."""
    auth: str = "no"
    """`no`, `try`, `require`."""
    chunking: bool = True
    prdr: bool = True
    pipelining: bool = True
    fast_open: bool = True
    """`hosts_try_fastopen`."""
    pipe_connect: bool = False
    """`hosts_pipe_connect`: speak first where the host has allowed it."""
    esmtp: bool = True
    is_serial: bool = False
    """`serialize_hosts`: one connection at a time."""
    helo: str = ""
    """Our name; empty: the habits'."""
    dane: str = "no"
    """`no`, `try`, `require`."""
    dane_ciphers: str = ""
    """`dane_require_tls_ciphers`."""

    def wish(self, target: Target) -> TlsWish:
        if self.tls_wish.server_name:
            return self.tls_wish
        return msgspec.structs.replace(self.tls_wish, server_name=target.name)


class Habits(msgspec.Struct, frozen=True, kw_only=True):
    """The same for all hosts of a job. Times in seconds."""

    helo: str
    name_on: Callable[[Session], Awaitable[str]] | None = None
    """Our name, where it depends on our end of the connection (`$sending_ip_address` in `helo_data`)."""
    manners_for: Callable[[Target], Awaitable[Manners]]
    transport: str
    """Its name: part of what keeps connections apart."""
    lmtp: bool = False
    is_all_or_none: bool = False
    """No message is sent while a recipient is refused."""
    socket: SocketWish | None = None
    """What the socket is to be like: keepalive, DSCP."""
    connect_timeout: float = 300.0
    command_timeout: float = 300.0
    data_timeout: float = 300.0
    final_timeout: float = 600.0
    connection_max_messages: int = 500
    size_addition: int = 1024
    hosts_max_try: int = 5
    hosts_max_try_hardlimit: int = 50
    delay_after_cutoff: bool = True
    log_in: Callable[[Session, bool], Awaitable[Trouble | None]] | None = None
    """(session, whether it must succeed): client authentication, for hosts whose manners say so."""
    login_key: str = ""
    """Keeps connections apart that are logged in differently."""
    proxies: tuple[Proxy, ...] = ()
    """`socks_proxy`."""
    capabilities: Capabilities | None = None
    """What is kept of hosts, where `hosts_pipe_connect` has any."""
    events: Events | None = None
    """`event_action`."""
    resolver: Resolver | None = None
    """Who is asked for TLSA records."""
    has_tried: bool = False
    """Another host, in vain."""
    ahead: str = ""
    """In front of what is said first: once it has spoken ahead to one host of a message, Exim calls that `pipelined` at the next one too."""
    note: Callable[[str], None] | None = None
    """Writes a line about this job's message into the main log."""
    in_clear: str = "delivering unencrypted to H="
    """What such a line says, in front of the host, where TLS has failed."""
    retry_with_sender: bool = True
    """`address_retry_include_sender`."""
