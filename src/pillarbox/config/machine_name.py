"""What this machine calls itself: `primary_hostname` where nobody has set it (Exim 14.23)."""

from __future__ import annotations

import functools
import platform
import socket


def machine_name() -> str:
    """uname's name, made full by the system's resolver where it is a single word. Blocks then, the first time."""
    name = platform.node()
    return name if "." in name or not name else _full(name)


@functools.cache
def _full(name: str) -> str:
    for family in (socket.AF_INET6, socket.AF_INET):
        try:
            found = socket.getaddrinfo(name, None, family, socket.SOCK_STREAM, 0, socket.AI_CANONNAME)
        except (OSError, UnicodeError):
            continue
        if found[0][3]:
            return found[0][3]
    return name
