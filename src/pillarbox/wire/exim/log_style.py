"""`log_selector` as decisions: what a log line shows, and how times look (Exim 53.15)."""

from __future__ import annotations

import msgspec

from pillarbox.mail.interval import show_interval

DEFAULT = frozenset(
    (
        "acl_warn_skipped", "connection_reject", "delay_delivery", "dkim", "dnslist_defer", "etrn", "host_lookup_failed",
        "lost_incoming_connection", "msg_id", "outgoing_interface", "queue_run", "rejected_header", "retry_defer",
        "sender_verify_fail", "size_reject", "skip_delivery", "smtp_confirmation", "tls_certificate_verified", "tls_cipher",
    )
)  # fmt: skip
ACTED_ON = frozenset(
    (
        "8bitmime", "acl_warn_skipped", "address_rewrite", "all_parents", "arguments", "connection_id", "connection_reject",
        "delay_delivery", "deliver_time", "delivery_size",
        "dnslist_defer", "dnssec", "dsn", "etrn", "host_lookup_failed", "ident_timeout", "incoming_interface", "incoming_port",
        "lost_incoming_connection", "millisec", "msg_id", "msg_id_created", "outgoing_interface", "outgoing_port", "pid",
        "pipelining", "protocol_detail", "proxy", "queue_run", "queue_time", "queue_time_overall", "receive_time", "received_recipients",
        "received_sender", "rejected_header", "retry_defer", "return_path_on_delivery", "sender_on_delivery",
        "sender_verify_fail", "size_reject", "skip_delivery", "smtp_confirmation", "smtp_connection",
        "smtp_incomplete_transaction", "smtp_mailauth", "smtp_no_mail", "smtp_protocol_error", "smtp_syntax_error", "subject",
        "tls_certificate_verified", "tls_cipher", "tls_on_connect", "tls_peerdn", "tls_resumption", "tls_sni",
    )
)  # fmt: skip
"""The others are read, and change nothing yet."""


class LogStyle(msgspec.Struct, frozen=True):
    """One answer for each item that lines ask about."""

    selected: frozenset[str] = DEFAULT
    is_default: bool = True
    """Nothing was changed: the usual lines are made without asking."""

    def shows(self, item: str) -> bool:
        return item in self.selected

    def without(self, *items: str) -> LogStyle:
        return self if self.is_default else LogStyle(self.selected.difference(items), is_default=False)


USUAL = LogStyle()


def log_style(selector: str, known: frozenset[str]) -> LogStyle:
    """`+subject -msg_id`, already checked (config/log_selector.py). `known`: what `all` stands for."""
    selected = set(DEFAULT)
    for word in selector.replace("+", " +").replace("-", " -").split():
        name = word[1:].strip()
        items = known if name == "all" else {name}
        selected = selected | items if word[0] == "+" else selected - items
    chosen = frozenset(selected)
    return LogStyle(chosen, chosen == DEFAULT)


def show_elapsed(seconds: float, style: LogStyle = USUAL) -> str:
    """`3m45s`; with `millisec`, times below a minute as `1.578s`."""
    if style.shows("millisec") and seconds < 60:
        return f"{max(seconds, 0.0):.3f}s"
    return show_interval(seconds)
