"""Addresses without a domain in the header lines of messages from this machine are completed (Exim 5.3, -bnq; 47.2)."""

from __future__ import annotations

from collections.abc import Callable

from pillarbox.language.addresses import Working
from pillarbox.language.rewrite.fields import Replacement, change_fields

_OF_SENDERS = frozenset(("from", "sender", "reply-to"))


def tell_malformed(headers: bytes, complain: Callable[[str], None]) -> None:
    """Lines for the log about addresses that are none."""
    qualify_headers(headers, "", "", complain)


def qualify_headers(
    headers: bytes,
    sender_domain: str,
    recipient_domain: str,
    complain: Callable[[str], None] | None = None,
) -> bytes:
    """`sender_domain` (`qualify_domain`) in From:, Sender: and Reply-To:, `recipient_domain` (`qualify_recipient`) in To:, Cc: and Bcc:;
    an empty one: those are left alone. `complain` gets lines for the log about addresses that are none."""

    def complete(field: str, found: Working) -> Replacement | None:
        if found.domain_at or not found.address:
            return None
        domain = sender_domain if field in _OF_SENDERS else recipient_domain
        return Replacement(f"{found.address}@{domain}") if domain else None

    return change_fields(headers, complete, complain)
