"""A message that we write ourselves (a bounce, a warning, an answer), as reception leaves it."""

from __future__ import annotations

from typing import NamedTuple

from pillarbox.mail import header
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.message import Message
from pillarbox.ports.spool import SpoolFull


class OwnMessage(NamedTuple):
    envelope: Envelope
    message: Message
    is_frozen: bool = False
    is_queued: bool = False
    """`control = freeze`, `control = queue`: it waits."""
    waits: bool = False
    """All mail waits (`queue_only`)."""
    why: str = ""
    """For the log; empty: nothing is said."""
    rejected: str = ""
    """What the ACL has against it."""
    discarded_by: str = ""
    """The ACL that has thrown away its recipients, for the log."""


class NotTaken(Exception):
    """An ACL has refused our own message, or thrown it away. The log tells it."""


NOT_SENT = (SpoolFull, NotTaken)
"""Why a message that we have written does not leave."""


def reference_to(original: Message) -> bytes | None:
    """Its id: the one that it was sent again under, where it was."""
    block = original.headers
    return header.first(block, "resent-message-id") or header.first(block, "message-id")
