"""What a script wants done, in order: values for whoever runs it to carry out.

Texts are `str` with LF line ends, ready to be put into messages.
"""

from __future__ import annotations

import msgspec

from pillarbox.language.sieve.errors import Mistake


class FileInto(msgspec.Struct, frozen=True):
    """Store in a folder; `keep` is the folder that the run was told to be the inbox."""

    folder: str


class Redirect(msgspec.Struct, frozen=True):
    """Send on to `address`, which has a domain."""

    address: str


class Vacation(msgspec.Struct, frozen=True):
    """Answer the sender, unless the same was answered within `days` (RFC 5230).

    `basename`: what tells this answer from others, 32 hexadecimal digits. `headers`: more header lines, each with its newline.
    """

    basename: str
    days: int
    sender: str
    """For From:."""
    subject: str
    """As it stands in the header."""
    headers: str
    text: str


class Notify(msgspec.Struct, frozen=True):
    """Tell somebody by mail of the message (RFC 5435, RFC 5436). `headers`: with From: and To:; `to`: every recipient."""

    to: tuple[str, ...]
    headers: str
    text: str


Action = FileInto | Redirect | Vacation | Notify


class Outcome(msgspec.Struct, frozen=True):
    """What a run came to.

    The implicit keep is among `actions` already, as is the keep that follows a mistake.
    """

    actions: tuple[Action, ...]
    keeps_implicitly: bool = False
    mistake: Mistake | None = None
    trace: tuple[str, ...] = ()
    """What was compared and decided, when asked for."""
