"""Delivering into files and Maildirs that may belong to other users.

Without root this is done as ourselves; with the root helper (later) as the user. Either way: beneath a directory, never through a
symbolic link that somebody else could have put there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Protocol

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


FileKind = Literal["mbox", "mbx", "maildir", "mailstore", "single", "rename", "remove"]
"""How a mailbox is written. `single`: a new file in a directory, left under a temporary name until `rename` or `remove`."""


class Locking(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """How a mailbox file is locked (Exim 26.3). Nothing waits in there: a lock that is held is answered with `FileBusy`."""

    with_lockfile: bool = True
    with_fcntl: bool = True
    with_flock: bool = False
    as_mbx: bool = False
    lockfile_mode: int = 0o600
    lockfile_timeout: float = 1800.0


class FileRules(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What one transport asks of files, fixed when it is made."""

    mode: int = 0o600
    directory_mode: int = 0o700
    fails_when_narrower: bool = True
    creates_directory: bool = True
    must_exist: bool = False
    checks_owner: bool = True
    checks_group: bool = False
    allows_symlink: bool = False
    allows_fifo: bool = False
    formats: tuple[tuple[bytes, str], ...] = ()
    """(beginning of a file, transport for it, empty for this one)."""
    locking: Locking = Locking()
    size_regex: str = ""
    """Reads a message's size off its file's name."""
    directory_regex: str = ""
    """Subdirectories that count for maildirsize."""
    folder_regex: str = ""
    """Maildirs that are folders: they get a file `maildirfolder`."""


class Quota(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Limits of a mailbox; 0: none."""

    size: int = 0
    files: int = 0
    is_inclusive: bool = True
    size_forced: bool = False
    """`no_check`: counted, and the message is written all the same."""
    files_forced: bool = False
    warn_size: int = 0
    directory: str = ""
    """Where to count; empty: where it is delivered."""
    known_size: int = -1
    """-1: count."""
    known_files: int = -1
    keeps_size_file: bool = False
    """`maildirsize`."""


class FileWork(msgspec.Struct, frozen=True, kw_only=True, gc=False, array_like=True):
    """One copy for one mailbox; its body comes beside it."""

    kind: FileKind
    path: str
    """Absolute: the file, or the directory."""
    rules: FileRules
    head: bytes = b""
    """Written in front of the body."""
    tail: bytes = b""
    """Written behind it."""
    proof: bytes = b""
    """The message's own header block: what tells, after a crash, that a file holds this message."""
    unique: str = ""
    """The same for every attempt at this address."""
    host: str = ""
    received_at: float = 0.0
    is_repeat: bool = False
    """An earlier attempt may have succeeded: look for it first."""
    create_below: str = ""
    """New files and directories only beneath this; empty: anywhere."""
    create_strictly: bool = False
    """`belowhome`: and no `..` in the path."""
    forced_mode: int = -1
    """A filter's `save` asked for exactly this mode."""
    quota: Quota | None = None
    tag: str = ""
    """Behind a Maildir file's name."""
    envelope: bytes = b""
    """Content of mailstore's .env."""
    name: str = ""
    """`rename`: the new name; `remove`, `rename`: `unique` is the present one."""
    replaces: bool = False
    """`rename`: also what has that name."""
    message_size: int = 0
    """For quotas: `$message_size`."""
    directory: str = ""
    """The helper goes there first, as Exim does; empty: nowhere."""
    comsat_user: str = ""
    """Who is told of new mail (`notify_comsat`); empty: nobody."""
    is_question: bool = False
    """Whether there is room for `message_size` more; nothing is written."""
    is_shared: bool = False
    """Copies for other addresses of the message may be in the file: one that differs from this is not this."""


class Written(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=True):
    """In the mailbox. `inode` of a `single` file."""

    path: str
    inode: int = 0
    size_before: int = -1
    """What the mailbox held, when it was counted."""
    size: int = 0
    """Bytes written."""


class NotWritten(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=True):
    """Nothing was changed. `text` is Exim's, for the log; `code` errno, Exim's own number below 0, or 0; `error` a retry rule's word."""

    text: str
    code: int = 0
    error: str = ""
    is_frozen: bool = False
    is_permanent: bool = False
    is_panic: bool = False
    """The panic log tells of it too."""
    unread_for: int = 0
    """Of a mailbox that is full: seconds since its owner has read it."""


class FileBusy(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=True):
    """Somebody holds the lock `by` (`lock file`, `fcntl`, `flock`): try again later."""

    text: str
    by: str
    is_repeat: bool = False
    """A try before this one may have written, and lost its answer: the next one must look for it first."""


class OtherFormat(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=True):
    """The file is one for this transport (`file_format`)."""

    transport: str


FileResult = Written | NotWritten | FileBusy | OtherFormat
