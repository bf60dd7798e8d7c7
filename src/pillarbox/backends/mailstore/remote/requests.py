"""What may be asked of a process that serves a user's mail, and how it answers."""

from __future__ import annotations

from typing import Any

import msgspec

from pillarbox.ports.mailstore import Entry, FlagAction, NewMessage


class Listing(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """→ tuple[MailboxInfo, ...]."""


class Create(msgspec.Struct, frozen=True, array_like=True, tag=1):
    name: str
    special_use: str


class Delete(msgspec.Struct, frozen=True, array_like=True, tag=2):
    name: str


class Rename(msgspec.Struct, frozen=True, array_like=True, tag=3):
    old: str
    new: str


class Subscribe(msgspec.Struct, frozen=True, array_like=True, tag=4):
    name: str
    subscribed: bool


class Status(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """→ MailboxStatus."""

    name: str


class Append(msgspec.Struct, frozen=True, array_like=True, tag=6):
    """→ Appended."""

    name: str
    messages: tuple[NewMessage, ...]


class Open(msgspec.Struct, frozen=True, array_like=True, tag=7):
    """→ Opened."""

    name: str


class Close(msgspec.Struct, frozen=True, array_like=True, tag=8):
    box: int


class Refresh(msgspec.Struct, frozen=True, array_like=True, tag=9):
    """→ View."""

    box: int
    since: int
    """The modseq up to which the asker knows everything."""


class Content(msgspec.Struct, frozen=True, array_like=True, tag=10):
    """→ bytes | None."""

    box: int
    uid: int


class StoreFlags(msgspec.Struct, frozen=True, array_like=True, tag=11):
    """→ (StoreResult, View)."""

    box: int
    since: int
    uids: tuple[int, ...]
    action: FlagAction
    flags: frozenset[str]
    unchanged_since: int | None


class Expunge(msgspec.Struct, frozen=True, array_like=True, tag=12):
    """→ (uids, View)."""

    box: int
    since: int
    uids: tuple[int, ...] | None


class Transfer(msgspec.Struct, frozen=True, array_like=True, tag=13):
    """→ (Copied, View)."""

    box: int
    since: int
    uids: tuple[int, ...]
    target: str
    is_move: bool


class Wait(msgspec.Struct, frozen=True, array_like=True, tag=14):
    """→ bool, when there is a change or the time is over."""

    box: int
    timeout: float


class Forget(msgspec.Struct, frozen=True, array_like=True, tag=15):
    """Nobody waits for the answer of that number any more. Has none itself."""

    number: int


class TakeLock(msgspec.Struct, frozen=True, array_like=True, tag=16):
    """→ bool: POP3's lock is ours now, until `DropLock` or the end."""


class DropLock(msgspec.Struct, frozen=True, array_like=True, tag=17):
    pass


Request = (
    Listing
    | Create
    | Delete
    | Rename
    | Subscribe
    | Status
    | Append
    | Open
    | Close
    | Refresh
    | Content
    | StoreFlags
    | Expunge
    | Transfer
    | Wait
    | Forget
    | TakeLock
    | DropLock
)


class View(msgspec.Struct, frozen=True, array_like=True):
    """What has become of an opened mailbox since the asker's modseq."""

    name: str
    uid_next: int
    highest_modseq: int
    changed: tuple[Entry, ...]
    expunged: tuple[int, ...]


class Opened(msgspec.Struct, frozen=True, array_like=True):
    box: int
    name: str
    mailbox_id: str
    uid_validity: int
    uid_next: int
    highest_modseq: int
    entries: tuple[Entry, ...]


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """`error` names the exception to be raised; empty: `value` is what the request says."""

    value: msgspec.Raw = msgspec.Raw(b"\xc0")
    error: str = ""
    text: str = ""
    code: int = 0


_encoder = msgspec.msgpack.Encoder()
_requests: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_answers: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


def encode(value: Any) -> bytes:
    return _encoder.encode(value)


def parse_request(data: bytes) -> Request:
    """Raises msgspec.DecodeError."""
    return _requests.decode(data)


def parse_answer(data: bytes) -> Answer:
    """Raises msgspec.DecodeError."""
    return _answers.decode(data)
