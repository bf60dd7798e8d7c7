"""What a script is told besides the message."""

from __future__ import annotations

import msgspec


class Envelope(msgspec.Struct, frozen=True):
    """Of the delivery that the script is run for. `local_part` is the whole one, with its affixes."""

    sender: str
    """Empty: a bounce."""
    local_part: str
    domain: str
    user: str | None = None
    """`:user` of the recipient; None: the whole local part."""
    detail: str | None = None
    """`:detail` of the recipient; None: no such thing."""


class Circumstances(msgspec.Struct, frozen=True):
    envelope: Envelope
    inbox: str = "inbox"
    """The folder that `keep` means."""
    own_addresses: tuple[str, ...] = ()
    """Of the user whose script it is: who writes to others is not answered by `vacation`."""
    owner: str = ""
    """On whose behalf notifications are sent (Auto-Submitted:); empty: there are none."""
    traces: bool = False
