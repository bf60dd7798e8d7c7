"""How log lines of checks name the other side."""

from __future__ import annotations

from pillarbox.mail.envelope import Origin
from pillarbox.wire.exim.log_line import printable, sending_host


def describe_caller(origin: Origin) -> str:
    """`H=…`, with `U=…` as far as it is known; `U=…` alone for a message that did not come by TCP."""
    ident = f"U={printable(origin.ident)}" if origin.ident else ""
    return f"H={sending_host(origin)}{f' {ident}' if ident else ''}" if origin.host_address else ident
