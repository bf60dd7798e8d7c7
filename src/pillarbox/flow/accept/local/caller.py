"""Who runs the program that gives us a message: what the operating system says, never the message."""

from __future__ import annotations

import msgspec

from pillarbox.language.match.addresses import AddressList


class Caller(msgspec.Struct, frozen=True):
    login: str
    uid: int
    gid: int
    is_trusted: bool
    full_name: str = ""
    """Of the password file, for From:."""
    suppresses_fixups: bool = False
    """Asked to, being trusted (`-G`): nothing is mended in what comes by SMTP from this program."""


class LocalSenders(msgspec.Struct, frozen=True, kw_only=True):
    """What programs on this machine may say of who sends (`untrusted_set_sender`, `local_from_check` and its kin), and what their arguments
    mean with -t."""

    may_be_set: AddressList | None = None
    checks_from: bool = True
    keeps_sender: bool = False
    prefixes: tuple[str, ...] = ()
    """Of local parts, left out of the comparison; a `*` in front stands for anything."""
    suffixes: tuple[str, ...] = ()
    arguments_are_left_out: bool = True
