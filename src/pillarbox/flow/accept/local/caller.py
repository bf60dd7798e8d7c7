"""Who runs the program that gives us a message: what the operating system says, never the message."""

from __future__ import annotations

import msgspec


class Caller(msgspec.Struct, frozen=True):
    login: str
    uid: int
    gid: int
    is_trusted: bool
    full_name: str = ""
    """Of the password file, for From:."""
