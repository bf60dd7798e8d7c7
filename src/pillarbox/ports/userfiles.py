"""Delivering into files and Maildirs that may belong to other users.

Without root this is done as ourselves; with the root helper (later) as the user. Either way: beneath a directory, never through a
symbolic link that somebody else could have put there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import msgspec


class DeliveryFailure(Exception):
    """The file could not be written. `is_permanent` only for what waiting cannot mend; `error` is a retry rule word
    (`quota`, `disk_full`) or empty. `str()` is for the log."""

    def __init__(self, text: str, *, is_permanent: bool = False, error: str = "") -> None:
        super().__init__(text)
        self.is_permanent = is_permanent
        self.error = error


class MaildirDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """One message for one Maildir."""

    directory: str
    """Absolute path of the Maildir (holds tmp, new, cur)."""
    unique: str
    """Made from message id and address: a repeat after a crash finds its own file and changes nothing."""
    chunks: Iterable[bytes]
    """The message in LF form, in order, header additions included."""
    received_at: float
    is_repeat: bool = False
    """An earlier attempt may have succeeded: look for `unique` in new and cur first."""
    create: bool = True
    mode: int = 0o600
    directory_mode: int = 0o700


class UserFiles(Protocol):
    def deliver_maildir(self, delivery: MaildirDelivery) -> str:
        """Write tmp, move to new, and return the path. Quick (page cache) and not yet durable: see `sync`. Raises DeliveryFailure."""
        ...

    async def deliver_large_maildir(self, delivery: MaildirDelivery) -> str:
        """The same for a message that is too large to be written between two other things: off the loop, a chunk at a time."""
        ...

    async def sync(self) -> None:
        """Returns when every delivery made before the call is durable. Calls that overlap share one sync of the file system."""
        ...
