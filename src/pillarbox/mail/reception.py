"""What is known of a message's reception that nobody needs for its delivery, but that variables show then (Exim 11.9, 57.1)."""

from __future__ import annotations

import msgspec

from pillarbox.mail.replaced import Replaced


class Reception(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Most messages have none of it."""

    active_hostname: str = ""
    """`smtp_active_hostname`, where it is not our usual name."""
    mechanism: str = ""
    """What the client called the way in which it has logged in: `PLAIN`."""
    has_no_name: bool = False
    """The client's name was looked for, and there is none."""
    is_name_deferred: bool = False
    """The DNS could not say it."""
    allows_unqualified_sender: bool = False
    """Header lines may have addresses of senders without a domain."""
    allows_unqualified_recipient: bool = False
    is_sender_local: bool = False
    """The caller is the sender, or was allowed to say who is."""
    is_sender_untrusted: bool = False
    """Somebody whom nobody trusts has said who the sender is."""
    is_error: bool = False
    """It tells of an error (`-E`, bounces)."""
    longest_line: int = 0
    """Bytes of the longest line received; 0: nobody has asked."""
    tls_resumption: int = 0
    peer_certificate: bytes = b""
    """DER; of a client that showed one."""
    spam_score: str = ""
    spam_score_int: str = ""
    spam_bar: str = ""
    spam_report: str = ""
    spam_action: str = ""
    replaced: tuple[Replaced, ...] = ()
    """Header lines that it came with, and that were replaced or taken away before it was kept."""


NOTHING = Reception()
