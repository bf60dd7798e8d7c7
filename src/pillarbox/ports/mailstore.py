"""Mail stores: what IMAP and POP3 read, and where IMAP's APPEND writes.

One `MailStore` is one account's mail. A `Mailbox` is one opened mailbox; UIDs rise and are never used twice under one UIDVALIDITY;
every change gets a new modseq, and the change log in modseq order serves EXISTS, EXPUNGE, IDLE, CONDSTORE (RFC 7162).
Messages are given and taken with CRLF line ends here, because that is what both protocols count and send.
Another program may deliver into, read, mark and delete in the same mailbox at any time: `refresh` finds out.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal, Protocol

import msgspec

from pillarbox.ports.localwork import Actor

FlagAction = Literal["set", "add", "remove"]


class MailboxExists(Exception):
    """CREATE or RENAME to a name that is taken."""


class NoSuchMailbox(Exception):
    """The name is not (or no longer) there."""


class MailboxNameInvalid(Exception):
    """A name the store cannot keep: too long, control characters, reserved. `str()` says which."""


class OverQuota(Exception):
    """No room for the message: quota or disk (RFC 5530 OVERQUOTA)."""


class MailboxBusy(Exception):
    """Another program holds the lock of the mailbox's file for too long: try again later."""


class MailboxReadOnly(Exception):
    """What is there can be read and not changed: permissions. `str()` is for the log."""


class StoreGone(OSError):
    """Whoever served the store has gone: nothing of it can be used any more. Any method may raise it; open the store again."""


class MailboxInfo(msgspec.Struct, frozen=True):
    """One line of LIST. Names are Unicode with `/` as hierarchy separator; INBOX in upper case."""

    name: str
    is_selectable: bool = True
    has_children: bool = False
    is_subscribed: bool = False
    special_use: str = ""
    """`\\Sent`, `\\Drafts`, `\\Trash`, `\\Junk`, `\\Archive` or empty (RFC 6154)."""


class MailboxStatus(msgspec.Struct, frozen=True):
    messages: int
    unseen: int
    deleted: int
    uid_next: int
    uid_validity: int
    highest_modseq: int
    size: int
    """Sum of RFC822.SIZE."""
    mailbox_id: str = ""
    """OBJECTID (RFC 8474)."""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One message as the index knows it. Flags: `\\Seen`, `\\Answered`, `\\Flagged`, `\\Deleted`, `\\Draft` and keywords."""

    uid: int
    modseq: int
    flags: frozenset[str]
    internal_date: float
    size: int
    """Bytes with CRLF line ends: RFC822.SIZE."""
    saved_at: float = 0.0
    """When it came to this mailbox (SAVEDATE, RFC 8514)."""


class Changes(msgspec.Struct, frozen=True):
    """What happened after a modseq."""

    changed: tuple[Entry, ...]
    """New messages and flag changes, by uid."""
    expunged: tuple[int, ...]
    """Uids that have gone, ascending."""
    highest_modseq: int
    gaps: tuple[tuple[int, int], ...] = ()
    """What else may have gone, where only what is there is known: (first, last) of runs of uids that nothing has, ascending. Then `expunged` is
    empty."""


class StoreResult(msgspec.Struct, frozen=True):
    """Result of a flag change."""

    changed: tuple[Entry, ...]
    modified: tuple[int, ...]
    """Uids that failed UNCHANGEDSINCE (RFC 7162 §3.1.3), or had gone."""


class Appended(msgspec.Struct, frozen=True):
    uid_validity: int
    uids: tuple[int, ...]


class Copied(msgspec.Struct, frozen=True):
    """COPYUID (RFC 4315): `source[i]` became `target[i]`."""

    uid_validity: int
    source: tuple[int, ...]
    target: tuple[int, ...]


class NewMessage(msgspec.Struct, frozen=True):
    """For APPEND. `data` with CRLF line ends."""

    data: bytes
    flags: frozenset[str] = frozenset()
    internal_date: float | None = None


class Mailbox(Protocol):
    """One opened mailbox. Close it when deselected."""

    @property
    def name(self) -> str: ...

    @property
    def mailbox_id(self) -> str: ...

    @property
    def uid_validity(self) -> int: ...

    @property
    def uid_next(self) -> int: ...

    @property
    def highest_modseq(self) -> int: ...

    async def refresh(self) -> None:
        """Take in what other programs and workers have done. Cheap when nothing has changed."""
        ...

    def entries(self) -> Sequence[Entry]:
        """All messages as of the last `refresh` or change, ascending by uid."""
        ...

    def changes_since(self, modseq: int) -> Changes:
        """From the change log as of the last `refresh`. Expunged uids older than the log's memory may be more than needed, never fewer."""
        ...

    async def content(self, uid: int) -> bytes | None:
        """The whole message with CRLF line ends, byte for byte as delivered; None when it has gone."""
        ...

    def cached(self, uid: int, kind: str) -> bytes | None:
        """A cached derivation (`envelope`, `structure`) put there by `put_cached`."""
        ...

    def put_cached(self, uid: int, kind: str, data: bytes) -> None: ...

    async def store_flags(
        self,
        uids: Collection[int],
        action: FlagAction,
        flags: frozenset[str],
        *,
        unchanged_since: int | None = None,
    ) -> StoreResult: ...

    async def expunge(self, uids: Collection[int] | None = None) -> tuple[int, ...]:
        """Remove messages flagged \\Deleted (of `uids` only, when given); the uids removed. Raises MailboxBusy,
        MailboxReadOnly."""
        ...

    async def copy_to(self, uids: Collection[int], target: str) -> Copied:
        """All or nothing. Raises NoSuchMailbox, OverQuota."""
        ...

    async def move_to(self, uids: Collection[int], target: str) -> Copied:
        """RFC 6851. Raises NoSuchMailbox, OverQuota."""
        ...

    async def wait_for_change(self, timeout: float) -> bool:
        """True as soon as something may have changed (another session, worker or program); False after `timeout` seconds.
        Call `refresh` then."""
        ...

    def close(self) -> None: ...


class MailStore(Protocol):
    """One account's mailboxes."""

    async def list_mailboxes(self) -> Sequence[MailboxInfo]:
        """All, INBOX first, then by name. Patterns are the caller's business. Subscribed names that have no mailbox are included
        with `is_selectable=False`."""
        ...

    async def create(self, name: str, special_use: str = "") -> None:
        """Parents are made as needed. Raises MailboxExists, MailboxNameInvalid."""
        ...

    async def delete(self, name: str) -> None:
        """Raises NoSuchMailbox."""
        ...

    async def rename(self, old: str, new: str) -> None:
        """Children go along; renaming INBOX moves its messages (RFC 9051 §6.3.6). Raises NoSuchMailbox, MailboxExists, MailboxNameInvalid."""
        ...

    async def set_subscribed(self, name: str, subscribed: bool) -> None: ...

    async def open(self, name: str) -> Mailbox:
        """Refreshed. Raises NoSuchMailbox."""
        ...

    async def status(self, name: str) -> MailboxStatus:
        """Raises NoSuchMailbox."""
        ...

    async def append(self, name: str, messages: Sequence[NewMessage]) -> Appended:
        """All or nothing (MULTIAPPEND); durable on return. Raises NoSuchMailbox, OverQuota."""
        ...

    def close(self) -> None: ...


class MailStores(Protocol):
    async def open_store(self, home: str, actor: Actor | None = None) -> MailStore:
        """The store at `home` (ports.mailplace), made with INBOX and the usual special-use mailboxes on first use.
        `actor`: whose rights it takes; None: ours. Raises OSError."""
        ...
