"""Variables about the connection or the local caller, over `mail.envelope.Origin` (Exim 11.9)."""

from __future__ import annotations

import os

import msgspec

from pillarbox.flow.settings import Logging
from pillarbox.language.expand.errors import ExpansionDeferred
from pillarbox.language.expand.registry import asking_variable, variable, variable_with
from pillarbox.language.expand.scope import Scope
from pillarbox.language.match.host_names import ClientName, client_name
from pillarbox.mail.envelope import Origin
from pillarbox.wire.exim.log_line import shown_helo


@variable(
    "sender_host_address",
    Origin,
    doc="IP address of the sending host; empty for local callers.",
    tainted=False,
)
def sender_host_address(origin: Origin) -> str:
    return origin.host_address


@variable("sender_host_port", Origin, doc="Port of the sending host; 0: none.", tainted=False, absent="0")
def sender_host_port(origin: Origin) -> str:
    return str(origin.host_port)


@variable("sender_host_name", Origin, doc="Verified name of the sending host, if it was looked up.")
def sender_host_name(origin: Origin) -> str:
    return origin.host_name


@asking_variable(
    "sender_host_name",
    ClientName,
    known=lambda client: client.name,
    doc="Verified name of the sending host; in a session it is looked up when it is first asked for.",
    rank=1,
)
def sender_host_name_now(client: ClientName, scope: Scope) -> str:
    if client.is_deferred:
        return client.name
    try:
        return client_name(client, scope)
    except ExpansionDeferred:
        client.is_deferred = True
        return ""


@variable("sender_helo_name", Origin, doc="What the client said in HELO or EHLO.")
def sender_helo_name(origin: Origin) -> str:
    return origin.helo


@variable("sender_ident", Origin, doc="RFC 1413 name, or the local caller's login name.")
def sender_ident(origin: Origin) -> str:
    return origin.ident


@variable_with(
    "sender_fullhost",
    Origin,
    Logging,
    ClientName,
    doc="Name, HELO and address of the sending host as the log shows them.",
)
def sender_fullhost(origin: Origin, logging: Logging, client: ClientName) -> str:
    if not origin.host_address:
        return ""
    origin = _with_name(origin, client)
    address = f"[{origin.host_address}]{_port(origin, logging)}"
    helo = shown_helo(origin)
    own = f"({_shown(helo)}) " if helo else ""
    return f"{origin.host_name} {own}{address}" if origin.host_name else f"{own}{address}"


def _with_name(origin: Origin, client: ClientName) -> Origin:
    """That the same string or statement may have asked for."""
    if origin.host_name or not client.name or not client.is_shown:
        return origin
    return msgspec.structs.replace(origin, host_name=client.name)


def _port(origin: Origin, logging: Logging) -> str:
    """With `incoming_port`."""
    return f":{origin.host_port}" if origin.host_port and logging.style.shows("incoming_port") else ""


@variable_with(
    "sender_rcvhost", Origin, Logging, ClientName, doc="The sending host as Received: lines show it."
)
def sender_rcvhost(origin: Origin, logging: Logging, client: ClientName) -> str:
    if not origin.host_address:
        return ""
    origin = _with_name(origin, client)
    port = _port(origin, logging)
    address = f"[{origin.host_address}]"
    has_own_helo = origin.helo and origin.helo.lower() not in (
        origin.host_name.lower(),
        f"[{origin.host_address}]",
    )
    notes = [f"helo={origin.helo}"] if has_own_helo else []
    notes += [f"ident={origin.ident}"] if origin.ident else []
    if not origin.host_name:
        notes = [f"port={port[1:]}", *notes] if port else notes
        return f"{address} ({' '.join(notes)})" if notes else address
    return f"{origin.host_name} ({' '.join([address + port, *notes])})"


@variable(
    "received_protocol", Origin, doc="How the message came: esmtp, esmtps, local and so on.", tainted=False
)
def received_protocol(origin: Origin) -> str:
    return origin.protocol


@variable("received_ip_address", Origin, doc="Our address that the client connected to.", tainted=False)
def received_ip_address(origin: Origin) -> str:
    return origin.interface_address


@variable(
    "received_port",
    Origin,
    doc="Our port that the client connected to; -1: none.",
    tainted=False,
    absent="-1",
)
def received_port(origin: Origin) -> str:
    return str(origin.interface_port if origin.interface_address else -1)


@variable("interface_address", Origin, doc="Older name of $received_ip_address.", tainted=False)
def interface_address(origin: Origin) -> str:
    return origin.interface_address


@variable("interface_port", Origin, doc="Older name of $received_port.", tainted=False, absent="-1")
def interface_port(origin: Origin) -> str:
    return received_port(origin)


@variable("authenticated_id", Origin, doc="Who the client has proved to be.")
def authenticated_id(origin: Origin) -> str:
    return origin.authenticated_id


@variable("sender_host_authenticated", Origin, doc="Name of the authenticator that succeeded.", tainted=False)
def sender_host_authenticated(origin: Origin) -> str:
    return origin.authenticator


@variable("tls_in_cipher", Origin, doc="Cipher suite of the incoming TLS connection.", tainted=False)
def tls_in_cipher(origin: Origin) -> str:
    return origin.tls_cipher


@variable("tls_cipher", Origin, doc="Older name of $tls_in_cipher.", tainted=False)
def tls_cipher(origin: Origin) -> str:
    return origin.tls_cipher


@variable("tls_in_ver", Origin, doc="TLS version of the incoming connection.", tainted=False)
def tls_in_ver(origin: Origin) -> str:
    return origin.tls_cipher.partition(":")[0]


@variable("tls_in_cipher_std", Origin, doc="Standard name of the cipher suite.", tainted=False)
def tls_in_cipher_std(origin: Origin) -> str:
    parts = origin.tls_cipher.split(":")
    return parts[1] if len(parts) > 1 else ""


@variable("tls_in_sni", Origin, doc="Server name that the client asked for.")
def tls_in_sni(origin: Origin) -> str:
    return origin.tls_sni


@variable("tls_sni", Origin, doc="Older name of $tls_in_sni.")
def tls_sni(origin: Origin) -> str:
    return origin.tls_sni


@variable("caller_uid", Origin, doc="Real user id of the local caller.", tainted=False)
def caller_uid(origin: Origin) -> str:
    return str(origin.caller_uid if origin.caller_uid >= 0 else os.getuid())


@variable("caller_gid", Origin, doc="Real group id of the local caller.", tainted=False)
def caller_gid(origin: Origin) -> str:
    return str(origin.caller_gid if origin.caller_gid >= 0 else os.getgid())


def _shown(helo: str) -> str:
    """Control characters of a client's HELO never reach a log line."""
    return "".join(character if character.isprintable() else "?" for character in helo)
