"""Variables about the incoming session and what ACLs have found out (Exim 11.9)."""

from __future__ import annotations

from pillarbox.flow.check.acl import decision as _decision  # noqa: F401  declares $acl_verify_message
from pillarbox.flow.check.acl.conditions import dnslists as _dnslists  # noqa: F401  declares $dnslist_domain and its kin
from pillarbox.flow.facets.session import (
    ListFacts,
    ProxyFacts,
    RateFacts,
    SessionFacts,
    TlsInFacts,
    VerifyFacts,
)
from pillarbox.flow.variables.fields import Field, declare

declare(
    SessionFacts,
    [
        Field("connection_id", "connection_id", "What the log calls this connection."),
        Field("smtp_command", "command", "The command in hand, as it was sent.", True),
        Field("smtp_command_argument", "command_argument", "What stands behind the command's name.", True),
        Field("smtp_command_history", "command_history", "Names of the latest commands.", True),
        Field(
            "smtp_count_at_connection_start",
            "count_at_connection_start",
            "Connections there were when this one came.",
        ),
        Field("smtp_notquit_reason", "notquit_reason", "In acl_smtp_notquit: why the session ends."),
        Field(
            "authenticated_fail_id", "authenticated_fail_id", "Whom a failed AUTH wanted to be.", tainted=True
        ),
        Field("authentication_failed", "authentication_failed", "1: AUTH was tried in vain."),
        Field("sender_helo_verified", "helo_verified", "Whether the HELO name is the client's."),
        Field("sender_helo_dnssec", "helo_dnssec", "Whether DNSSEC vouches for the HELO name's address."),
        Field("sender_host_dnssec", "host_dnssec", "Whether DNSSEC vouches for the client's name."),
        Field("host_lookup_deferred", "host_lookup_deferred", "1: the client's name cannot be said now."),
        Field("host_lookup_failed", "host_lookup_failed", "1: the client has no name."),
        Field("prdr_requested", "prdr_requested", "Whether the client wants an answer for each recipient."),
        Field("max_received_linelength", "max_received_linelength", "Bytes of the longest line received."),
        Field("rcpt_count", "rcpt_count", "RCPT commands so far, with the present one."),
        Field("rcpt_defer_count", "rcpt_defer_count", "RCPT commands answered with 4xx."),
        Field("rcpt_fail_count", "rcpt_fail_count", "RCPT commands answered with 5xx."),
        Field("atrn_host", "atrn_host", "The host that ATRN turned into ours.", tainted=True),
        Field("atrn_mode", "atrn_mode", "P or C: provider or customer of ATRN."),
    ],
)
declare(
    ProxyFacts,
    [
        Field("proxy_external_address", "external_address", "The client's address, as the proxy says."),
        Field("proxy_external_port", "external_port", "The client's port."),
        Field("proxy_local_address", "local_address", "The proxy's own address."),
        Field("proxy_local_port", "local_port", "The proxy's own port."),
        Field("proxy_session", "session", "Whether a proxy is between."),
    ],
)
declare(
    TlsInFacts,
    [
        Field("tls_in_bits", "bits", "Bits of the incoming session's cipher."),
        Field("tls_bits", "bits", "Older name of $tls_in_bits."),
        Field("tls_in_certificate_verified", "certificate_verified", "1: the client's certificate is good."),
        Field("tls_certificate_verified", "certificate_verified", "Older name of the same."),
        Field("tls_in_ocsp", "ocsp", "0 to 4: what became of OCSP stapling."),
        Field("tls_in_resumption", "resumption", "Bits that tell how the session was resumed."),
        Field("tls_in_peerdn", "peerdn", "Distinguished name of the client's certificate.", True),
        Field("tls_peerdn", "peerdn", "Older name of $tls_in_peerdn.", True),
    ],
)
declare(
    RateFacts,
    [
        Field("sender_rate", "rate", "What the ratelimit condition has measured."),
        Field("sender_rate_limit", "limit", "The limit it compared with."),
        Field("sender_rate_period", "period", "The period it measured over."),
    ],
)
declare(
    ListFacts,
    [
        Field("host_data", "host", "What a lookup in `hosts` gave."),
        Field("domain_data", "domain", "What matched in `domains`."),
        Field("local_part_data", "local_part", "What matched in `local_parts`."),
        Field("sender_data", "sender", "What matched in `senders`."),
        Field("recipient_data", "recipient", "What matched in `recipients`."),
    ],
)
declare(
    VerifyFacts,
    [
        Field("verify_mode", "mode", "S or R while a sender or a recipient is verified."),
        Field("callout_address", "callout_address", "The host that is asked back."),
        Field("sender_verify_failure", "sender_failure", "At which step the sender's verification failed."),
        Field("recipient_verify_failure", "recipient_failure", "At which step the recipient's failed."),
        Field("sender_address_data", "sender_address_data", "$address_data of the verified sender.", True),
        Field("address_data", "address_data", "What routers gave for the recipient that was verified.", True),
        Field("csa_status", "csa_status", "What client SMTP authorization has said."),
        Field("srs_recipient", "srs_recipient", "The address out of an SRS address.", tainted=True),
    ],
)
