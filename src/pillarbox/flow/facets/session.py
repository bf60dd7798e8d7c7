"""What is known of an SMTP session besides where it comes from: commands, verification, proxies, TLS (Exim chapters 43, 44, 60)."""

from __future__ import annotations

import msgspec


class SessionFacts(msgspec.Struct, frozen=True):
    """The incoming session at this moment."""

    connection_id: str = ""
    active_hostname: str = ""
    """`smtp_active_hostname` expanded; empty: as it is configured."""
    command: str = ""
    command_argument: str = ""
    command_history: str = ""
    """Commands before this one, divided by comma and space."""
    count_at_connection_start: int = 0
    notquit_reason: str = ""
    authenticated_fail_id: str = ""
    authentication_failed: int = 0
    helo_verified: bool = False
    helo_dnssec: bool = False
    host_dnssec: bool = False
    host_lookup_deferred: int = 0
    host_lookup_failed: int = 0
    prdr_requested: bool = False
    max_received_linelength: int = 0
    rcpt_count: int = 0
    rcpt_defer_count: int = 0
    rcpt_fail_count: int = 0
    atrn_host: str = ""
    atrn_mode: str = ""


class ProxyFacts(msgspec.Struct, frozen=True):
    """The proxy between the client and us; addresses as the connection to the proxy has them."""

    external_address: str = ""
    external_port: int = 0
    local_address: str = ""
    local_port: int = 0
    session: bool = False


class TlsInFacts(msgspec.Struct, frozen=True):
    """The incoming TLS session, besides its cipher and name."""

    bits: int = 0
    certificate_verified: int = 0
    ocsp: int = 0
    resumption: int = 0
    ourcert: bytes = b""
    peercert: bytes = b""
    """DER, for `${certextract`, `${sha256:` and their kin."""
    peerdn: str = ""


class TlsOutFacts(msgspec.Struct, frozen=True):
    """The outgoing TLS session."""

    bits: int = 0
    certificate_verified: int = 0
    cipher_std: str = ""
    dane: bool = False
    ocsp: int = 0
    ourcert: bytes = b""
    peercert: bytes = b""
    peerdn: str = ""
    resumption: int = 0
    sni: str = ""
    tlsa_usage: int = 0
    ver: str = ""


class RateFacts(msgspec.Struct, frozen=True):
    """Set by the `ratelimit` condition."""

    rate: str = ""
    limit: str = ""
    period: str = ""


class ListFacts(msgspec.Struct):
    """What the last `hosts`, `senders`, `recipients`, `domains` and `local_parts` matched. One object for a whole connection."""

    host: str = ""
    sender: str = ""
    recipient: str = ""
    domain: str = ""
    local_part: str = ""


class VerifyFacts(msgspec.Struct, frozen=True):
    """What verification and callouts are at, and what came of them."""

    mode: str = ""
    """`S` or `R` while an address is verified."""
    callout_address: str = ""
    """Host and port of the callout, as they are connected to."""
    sender_failure: str = ""
    """`qualify`, `route`, `mail`, `recipient` or `postmaster`."""
    recipient_failure: str = ""
    sender_address_data: str = ""
    address_data: str = ""
    """Of the recipient that was verified."""
    csa_status: str = ""
    srs_recipient: str = ""
