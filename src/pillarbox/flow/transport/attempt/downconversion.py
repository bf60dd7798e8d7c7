"""Addresses beyond ASCII as ASCII, for hosts without SMTPUTF8 (`utf8_downconvert`; Exim 60.1).

Domains become A-labels (RFC 5890), local parts punycode behind `xn--`, which is Exim's own way: whoever is to read them must know it. Headers
stay as they are, as Exim's do.
"""

from __future__ import annotations

from typing import Literal

from msgspec.structs import replace

from pillarbox.flow.transport.attempt.trouble import Trouble
from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.operators.utf8 import utf8_domain_to_alabel, utf8_localpart_to_alabel
from pillarbox.mail.reply import Reply
from pillarbox.wire.smtp.events import Mail, Rcpt

Downconversion = Literal["never", "where missing", "always"]
_VALUES: dict[str, Downconversion] = {"1": "always", "0": "never", "-1": "where missing"}


def read_downconversion(text: str) -> Downconversion:
    """What the option comes to; anything else leaves the message as it is."""
    return _VALUES.get(text.strip(), "never")


def envelope_in_ascii(mail: Mail, rcpts: tuple[Rcpt, ...]) -> tuple[Mail, tuple[Rcpt, ...]]:
    """Raises ExpansionFailed."""
    sender = None if mail.sender is None else address_in_ascii(mail.sender)
    converted = tuple(replace(rcpt, address=address_in_ascii(rcpt.address)) for rcpt in rcpts)
    return replace(mail, sender=sender, smtputf8=False), converted


def address_in_ascii(address: str) -> str:
    """Raises ExpansionFailed."""
    if address.isascii():
        return address
    local_part, at, domain = address.rpartition("@")
    return f"{utf8_localpart_to_alabel(local_part)}{at}{utf8_domain_to_alabel(domain)}"


def no_utf8(error: ExpansionFailed | None = None) -> Trouble:
    """The host cannot take the message, or the addresses cannot be converted (RFC 6531 §3.2)."""
    text = str(error) if error is not None else "utf8 support required but not offered for forwarding"
    return Trouble("message", text, Reply(550, text, "5.6.7"), is_permanent=True)
