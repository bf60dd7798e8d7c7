"""How a message came, beyond what its envelope keeps: for the lines that the logs have of it."""

from __future__ import annotations

import msgspec

from pillarbox.mail.envelope import Recipient


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """How a message came, as far as only its line tells it."""

    is_fake: bool = False
    """`(=`: its sender was told that it is refused."""
    is_chunked: bool = False
    is_prdr: bool = False
    signed_by: str = ""
    """A domain that has signed it well (DKIM)."""
    proxy: str = ""
    """The proxy's address."""
    pipelining: str = ""
    """`L` where it was offered, with a dot for early pipelining, `-` where it was not used."""
    body_type: str = ""
    """The latest BODY= of the session, which Exim tells of messages that came without one too."""
    reference: str = ""
    """The message it is about, where somebody has said so; of our own bounces the queue knows."""
    elapsed: float = -1.0
    """Seconds that the message took to come; below 0: not known."""
    recipients: tuple[Recipient, ...] = ()
    """Those it came for, when some of them do not get it."""
    named_by: bytes = b""
    """The header block whose Message-ID is told, where that is not the message's own."""
    written_sender: str = ""
    """As it was before rewriting; empty: as it is."""
    written_recipients: tuple[str, ...] = ()
    """The same of the recipients."""
