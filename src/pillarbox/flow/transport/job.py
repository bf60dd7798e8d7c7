"""A job: one message for one or more addresses that go the same way. Its result: one outcome per address."""

from __future__ import annotations

import msgspec

from pillarbox.flow.route.result import Assignment
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.message import Message

SKIPPED = "retry_time"
"""`Deferred.error` when nothing was tried because no retry time had come. No retry rule bears this name."""
BUSY = "busy"
"""`Deferred.error` when nothing was tried because too much is under way already: again in a minute, and no retry rule counts it."""


class Job(msgspec.Struct, frozen=True):
    """All `assignments` have the same transport, and for remote ones the same hosts and errors_to."""

    envelope: Envelope
    message: Message
    assignments: tuple[Assignment, ...]
    is_repeat: bool = False
    """An earlier attempt, possibly cut off by a crash, may have delivered it."""
    is_forced: bool = False
    """Try hosts whose retry time has not come (`-qf`, `-M`, a message older than its retry rule)."""
    most_at_once: int = 0
    """Addresses in one transaction with a host (`max_rcpt`); 0: all of them."""
    is_all_or_none: bool = False
    """Every recipient or nobody, at one host of the transport's own list (`mua_wrapper`)."""
    is_followed: bool = False
    """Another job of this message goes to the same hosts, when this one is over: the connection may serve it too."""
    is_shadow: bool = False
    """The transport runs as another's shadow: what comes of it is only told (Exim 24, `shadow_transport`)."""

    @property
    def sender(self) -> str | None:
        """The envelope sender to use: `errors_to` when a router set one."""
        errors_to = self.assignments[0].errors_to
        if errors_to is None:
            return self.envelope.sender
        return errors_to or None
