"""`notify_comsat`: the daemon that tells users of new mail hears where it begins (comsat(8); Exim 26.2)."""

from __future__ import annotations

import socket
from contextlib import suppress

_LONGEST = 200


def tell_comsat(user: str, offset: int = -1) -> None:
    """`offset`: in the user's mailbox file; -1: it is no single file. Nobody waits for the daemon or minds its absence."""
    with suppress(OSError):
        port = socket.getservbyname("biff", "udp")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as to:
            text = f"{user[:_LONGEST]}@{offset}\n".encode("utf-8", "replace")
            to.sendto(text + b"\0", ("127.0.0.1", port))  # with its end, as Exim sends it
