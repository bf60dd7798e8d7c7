"""Mail that goes round: a message with more than `received_headers_max` Received: lines fails for all its recipients, unrouted (Exim 14.23).

What hosts send is refused behind DATA already; this is for what programs on this machine submit, where a pipe or a filter closes the circle.
"""

from __future__ import annotations

from pillarbox.mail.reply import Reason
from pillarbox.ports.spool import Queued

LOOPING = Reason('Too many "Received" headers - suspected mail loop')


def is_looping(queued: Queued, hops_max: int) -> bool:
    """Of a message that a host has sent, never: it was asked when it came."""
    if queued.envelope.origin.host_address:
        return False
    lowered = queued.message.headers.lower()
    return lowered.count(b"\nreceived:") + lowered.startswith(b"received:") > hops_max
