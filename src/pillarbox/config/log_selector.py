"""`log_selector`: what is logged besides the usual, or left out: `+arguments -retry_defer` (Exim 52.15)."""

from __future__ import annotations

import re

from pillarbox.config.errors import OptionError

SELECTORS = frozenset(
    (
        "8bitmime", "acl_warn_skipped", "address_rewrite", "all", "all_parents", "arguments", "connection_id", "connection_reject",
        "delay_delivery", "deliver_time", "delivery_size", "dkim", "dkim_verbose", "dnslist_defer", "dnssec", "dsn", "etrn",
        "host_lookup_failed", "ident_timeout", "incoming_interface", "incoming_port", "lost_incoming_connection", "millisec", "msg_id",
        "msg_id_created", "outgoing_interface", "outgoing_port", "pid", "pipelining", "protocol_detail", "proxy", "queue_run",
        "queue_time", "queue_time_exclusive", "queue_time_overall", "receive_time", "received_recipients", "received_sender",
        "rejected_header", "retry_defer", "return_path_on_delivery", "sender_on_delivery", "sender_verify_fail", "size_reject",
        "skip_delivery", "smtp_confirmation", "smtp_connection", "smtp_incomplete_transaction", "smtp_mailauth", "smtp_no_mail",
        "smtp_protocol_error", "smtp_syntax_error", "spf", "spf_verbose", "subject", "tls_certificate_verified", "tls_cipher",
        "tls_on_connect", "tls_peerdn", "tls_resumption", "tls_sni", "unknown_in_list",
    )
)  # fmt: skip
_WORD = re.compile(r"([+-])(\w*)\s*")
_NUMBER = re.compile(r"=[0-9a-fA-F]+\s*(?::.*)?")


def parse_log_selector(text: str) -> str:
    """The text, when all its words are known. Raises OptionError."""
    rest = text.strip()
    if rest.startswith("="):
        if not _NUMBER.fullmatch(rest):
            raise OptionError(f'malformed numeric log_selector setting: "{rest}" (n 1, fmt "%lx")')
        return text
    while rest:
        found = _WORD.match(rest)
        if not found:
            raise OptionError(f'malformed log_selector setting: + or - expected but found "{rest[1:]}"')
        sign, word = found.groups()
        if word and word not in SELECTORS:
            raise OptionError(f"unknown log_selector setting: {sign}{word}")
        rest = rest[found.end() :]
    return text
