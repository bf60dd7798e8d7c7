"""Mail that goes round: a message with more than `received_headers_max` Received: lines is not carried on (Exim 14.23).

What hosts send is refused behind DATA. What programs on this machine submit, where a pipe or a filter closes the circle, is taken, and fails
for all its recipients, unrouted.
"""

from __future__ import annotations

from pillarbox.ports.spool import Queued

LOOPING = 'Too many "Received" headers - suspected mail loop'


def hops_of(lowered: bytes) -> int:
    """How many Received: lines there are. `lowered`: a header in lower case."""
    return lowered.count(b"\nreceived:") + lowered.startswith(b"received:")


def is_looping(queued: Queued, hops_max: int) -> bool:
    """Of a message that a host has sent, never: it was asked when it came."""
    if queued.envelope.origin.host_address:
        return False
    return hops_of(queued.message.headers.lower()) > hops_max
