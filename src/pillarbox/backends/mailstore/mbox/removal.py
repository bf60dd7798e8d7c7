"""Taking messages out of an mbox so that a kill or a power cut at any instruction loses nothing.

The file is shortened in place: its name, owner, mode and inode stay, so a delivery that has opened it and waits for the lock writes into the
right file, and we need no right to make files in its directory. Beneath the locks:

1. what is to be kept behind the first removed message goes into a journal in the Maildir, synced, renamed to its name;
2. it is copied over the mbox from there, with a random mark behind it; synced;
3. the journal's phase becomes 2; synced;
4. the mbox is cut behind what was copied; synced; the journal is removed.

Whoever opens the mbox next finds the journal and goes on. In phase 1 nothing was cut yet: step 2 is done (again) from the journal. In phase 2
everything is in its place, and the mark and the old end tell whether step 4 is still to be done. Mail that a delivery has added meanwhile
stands behind the old end: it joins a new journal first. When another program has rewritten the file instead, its work stays, and what the
journal holds is put aside as `pillarbox.mbox.rescued.*` in the Maildir, an mbox. Where nothing is kept behind the first removed message, cutting
is all.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain

import msgspec

from pillarbox.backends.mailstore.maildir.folders import sync_directory
from pillarbox.backends.mailstore.mbox.scan import PIECE, tail_digest
from pillarbox.ports.mailplace import MailPlace

FILE = "pillarbox.mbox.journal"
RESCUED = "pillarbox.mbox.rescued."
_COPYING, _CUTTING = b"1", b"2"
_HEAD = 4
"""Behind the phase: the length of the plan."""
_MARK_SIZE = 16
"""Shorter than any From_ line, so it fits where a message was."""
_Part = tuple[int, int]
"""From, to."""


class Plan(msgspec.Struct, frozen=True, array_like=True):
    device: int
    inode: int
    start: int
    """Where the first removed message began: what follows is replaced."""
    kept: int
    """Bytes in the journal."""
    old_size: int
    before: bytes
    """Digest of what stands before `start`."""
    after: bytes
    """Digest of the old end, which step 2 does not touch."""
    mark: bytes

    @property
    def new_end(self) -> int:
        return self.start + self.kept


def is_unfinished(root: str) -> bool:
    return os.path.lexists(os.path.join(root, FILE))


def remove(root: str, descriptor: int, start: int, kept: Iterable[_Part]) -> None:
    """Under all locks. `kept`: the parts behind `start` that stay, ascending. Raises OSError; before step 2 nothing has changed."""
    parts = list(kept)
    if not parts:
        os.ftruncate(descriptor, start)
        os.fsync(descriptor)
        return
    length = sum(end - begin for begin, end in parts)
    _carry_out(root, descriptor, _plan(descriptor, start, length), _read(descriptor, parts))


def _plan(descriptor: int, start: int, kept: int) -> Plan:
    facts = os.fstat(descriptor)
    untouched = start + kept + _MARK_SIZE
    return Plan(
        facts.st_dev,
        facts.st_ino,
        start,
        kept,
        facts.st_size,
        tail_digest(descriptor, 0, start),
        tail_digest(descriptor, untouched, facts.st_size),
        secrets.token_bytes(_MARK_SIZE),
    )


def _carry_out(root: str, descriptor: int, plan: Plan, content: Iterable[bytes]) -> None:
    path = os.path.join(root, FILE)
    _write_journal(root, plan, content)
    journal = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        _apply(root, journal, descriptor, plan)
    finally:
        os.close(journal)


def _write_journal(root: str, plan: Plan, content: Iterable[bytes]) -> None:
    draft = os.path.join(root, FILE + ".new")
    encoded = msgspec.msgpack.encode(plan)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    journal = os.open(draft, flags, 0o600)
    try:
        position = _put(journal, _COPYING + len(encoded).to_bytes(_HEAD) + encoded, 0)
        for piece in content:
            position = _put(journal, piece, position)
        os.fsync(journal)
    except OSError:
        with suppress(OSError):
            os.unlink(draft)
        raise
    finally:
        os.close(journal)
    os.rename(draft, os.path.join(root, FILE))
    sync_directory(root)


def _apply(root: str, journal: int, descriptor: int, plan: Plan) -> None:
    """Steps 2 to 4."""
    position = plan.start
    for piece in _content(journal, plan):
        position = _put(descriptor, piece, position)
    _put(descriptor, plan.mark, position)
    os.fsync(descriptor)
    os.pwrite(journal, _CUTTING, 0)
    os.fsync(journal)
    _cut(root, descriptor, plan)


def _cut(root: str, descriptor: int, plan: Plan) -> None:
    os.ftruncate(descriptor, plan.new_end)
    os.fsync(descriptor)
    _forget(root)


def _forget(root: str) -> None:
    os.unlink(os.path.join(root, FILE))
    sync_directory(root)


def finish(place: MailPlace, descriptor: int | None) -> None:
    """Go on where a removal was cut short. Under all locks. `descriptor`: None, the mbox has gone. Raises OSError."""
    try:
        journal = os.open(os.path.join(place.root, FILE), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    try:
        phase, plan = _parse(journal)
        if phase == _CUTTING:
            _finish_cutting(place.root, descriptor, plan)
        elif descriptor is not None and _is_untouched(descriptor, plan):
            _finish_copying(place.root, journal, descriptor, plan)
        else:
            _rescue(place.root, journal, plan)
    finally:
        os.close(journal)


def _parse(journal: int) -> tuple[bytes, Plan]:
    head = os.pread(journal, 1 + _HEAD, 0)
    encoded = os.pread(journal, int.from_bytes(head[1:]), 1 + _HEAD)
    try:
        return head[:1], msgspec.msgpack.decode(encoded, type=Plan)
    except msgspec.DecodeError as error:
        raise OSError(5, f"{FILE} is damaged: {error}") from None


def _is_same_file(descriptor: int, plan: Plan) -> bool:
    facts = os.fstat(descriptor)
    return (facts.st_dev, facts.st_ino) == (plan.device, plan.inode)


def _is_untouched(descriptor: int, plan: Plan) -> bool:
    """But for step 2, and for mail that was added."""
    return (
        _is_same_file(descriptor, plan)
        and os.fstat(descriptor).st_size >= plan.old_size
        and tail_digest(descriptor, 0, plan.start) == plan.before
        and tail_digest(descriptor, plan.new_end + _MARK_SIZE, plan.old_size) == plan.after
    )


def _finish_copying(root: str, journal: int, descriptor: int, plan: Plan) -> None:
    size = os.fstat(descriptor).st_size
    if size == plan.old_size:
        _apply(root, journal, descriptor, plan)
        return
    longer = _plan(descriptor, plan.start, plan.kept + size - plan.old_size)
    content = chain(_content(journal, plan), _read(descriptor, [(plan.old_size, size)]))
    _carry_out(root, descriptor, longer, content)


def _finish_cutting(root: str, descriptor: int | None, plan: Plan) -> None:
    if (
        descriptor is None
        or not _is_untouched(descriptor, plan)
        or os.pread(descriptor, _MARK_SIZE, plan.new_end) != plan.mark
    ):
        _forget(root)
        return
    size = os.fstat(descriptor).st_size
    if size == plan.old_size:
        _cut(root, descriptor, plan)
        return
    added = _plan(descriptor, plan.new_end, size - plan.old_size)
    _carry_out(root, descriptor, added, _read(descriptor, [(plan.old_size, size)]))


def _rescue(root: str, journal: int, plan: Plan) -> None:
    path = os.path.join(root, RESCUED + secrets.token_hex(4))
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        position = 0
        for piece in _content(journal, plan):
            position = _put(target, piece, position)
        os.fsync(target)
    finally:
        os.close(target)
    _forget(root)


def _content(journal: int, plan: Plan) -> Iterator[bytes]:
    begin = 1 + _HEAD + int.from_bytes(os.pread(journal, _HEAD, 1))
    yield from _read(journal, [(begin, begin + plan.kept)])


def _read(descriptor: int, parts: Iterable[_Part]) -> Iterator[bytes]:
    for begin, end in parts:
        position = begin
        while position < end:
            piece = os.pread(descriptor, min(PIECE, end - position), position)
            if not piece:
                raise OSError(5, "the file has become shorter")
            yield piece
            position += len(piece)


def _put(descriptor: int, data: bytes, position: int) -> int:
    """Where it ends."""
    rest = memoryview(data)
    while rest:
        written = os.pwrite(descriptor, rest, position)
        position += written
        rest = rest[written:]
    return position
