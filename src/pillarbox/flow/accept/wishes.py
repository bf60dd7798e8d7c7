"""What the command line that began a session wants for all its messages (Exim 5.3)."""

from __future__ import annotations

import msgspec


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing, but for `-bs`."""

    is_dry: bool = False
    """`-N`."""
    reference: str = ""
    """`-oMm`, `-E`: id of the message that these are about."""
