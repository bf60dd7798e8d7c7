"""Appending to a mailbox file: mbox and MBX (Exim 26.3).

Nothing is left half done: when writing fails the file gets its old length and times back. What is written is durable after the next sync
only; a repeat after a crash looks for the message's own headers in the file first, and writes it once.
"""

from __future__ import annotations

import mmap
import os
import select
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain, islice

import msgspec

from pillarbox.backends.userfiles.comsat import tell_comsat
from pillarbox.backends.userfiles.existing import check_format, open_mailbox
from pillarbox.backends.userfiles.locks import lock_descriptor, lock_file
from pillarbox.backends.userfiles.mbx import file_header, mbx_lock, message_header
from pillarbox.backends.userfiles.places import make_parents
from pillarbox.backends.userfiles.quota import check_quota
from pillarbox.backends.userfiles.searched import SearchedFiles
from pillarbox.backends.userfiles.stopping import Stopped, check_wanted, stop, trouble, writing_trouble
from pillarbox.mail.message import Body
from pillarbox.ports.userfiles import FileWork, Written

_IOV_MAX = 512
_LOOK_BACK = 64 * 1024 * 1024
"""So much of a mailbox is searched for a message that an earlier attempt may have written."""
_PIPE_PATIENCE = 5.0
_searched = SearchedFiles()


def append(work: FileWork, body: Body, is_wanted: Callable[[], bool] = lambda: True) -> tuple[Written, int]:
    """The result and the device of the file. Raises Stopped, also when nobody waits for it any more: who comes after looks for the message under
    the same lock, so one of the two writes it."""
    if work.path == "/dev/null":
        return Written(work.path), 0
    make_parents(work)
    if work.rules.formats:
        _look_at_format(work)
    with lock_file(work):
        descriptor, is_pipe = open_mailbox(work)
        try:
            if is_pipe:
                return _into_pipe(work, body, descriptor), 0
            with mbx_lock(work, descriptor):
                if not work.rules.locking.as_mbx:
                    lock_descriptor(descriptor, work)
                check_wanted(is_wanted)
                return _append(work, body, descriptor)
        finally:
            os.close(descriptor)


def _look_at_format(work: FileWork) -> None:
    """Before anything is locked: the other transport has locks of its own. Raises Stopped."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(work.path, flags | (0 if work.rules.allows_symlink else os.O_NOFOLLOW))
    except OSError:
        return
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            check_format(work, descriptor)
    finally:
        os.close(descriptor)


def _append(work: FileWork, body: Body, descriptor: int) -> tuple[Written, int]:
    before = os.fstat(descriptor)
    read_at = before.st_atime_ns
    check_format(work, descriptor)
    if work.is_repeat and before.st_size:
        if (present := _find_earlier(descriptor, before, work, body)) >= 0:
            if present == before.st_size:
                return Written(work.path, before.st_ino, before.st_size), before.st_dev
            os.ftruncate(descriptor, present)
        elif os.pread(descriptor, 1, before.st_size - 1) != b"\n" and work.kind == "mbox":
            work = msgspec.structs.replace(
                work, head=b"\n\n" + work.head
            )  # behind what was cut off by a kill
        before = os.fstat(descriptor)
    known = work.quota.known_size if work.quota is not None else -1
    try:
        check_quota(work, known if known >= 0 else before.st_size, 0, read_at=read_at / 1e9)
    except Stopped:
        _look_unread(descriptor, read_at)
        raise
    with _put_back_on_trouble(descriptor, before, work.path):
        size = write_all(descriptor, _pieces(work, body, descriptor, before.st_size))
    if work.comsat_user:
        tell_comsat(work.comsat_user, before.st_size)
    return Written(work.path, before.st_ino, known if known >= 0 else before.st_size, size), before.st_dev


def _look_unread(descriptor: int, read_at: int) -> None:
    """What we have read in a full mailbox is not its owner's reading, which retry rules ask for (`quota_<time>`)."""
    now = os.fstat(descriptor)
    if now.st_atime_ns != read_at:
        with suppress(OSError):
            os.utime(descriptor, ns=(read_at, now.st_mtime_ns))


def _pieces(work: FileWork, body: Body, descriptor: int, present: int) -> Iterator[bytes]:
    if work.kind == "mbx":
        if present == 0:
            yield file_header(time.time())
        yield _own_line(work, body)
    yield work.head
    yield from body.chunks()
    yield work.tail


def write_all(descriptor: int, pieces: Iterable[bytes]) -> int:
    """Together where they are small. The number of bytes. Raises OSError."""
    held: list[bytes] = []
    held_size = total = 0
    for piece in pieces:
        held.append(piece)
        held_size += len(piece)
        if held_size > 1 << 20 or len(held) >= _IOV_MAX:
            total += _write(descriptor, held, held_size)
            held, held_size = [], 0
    return total + _write(descriptor, held, held_size)


def _write(descriptor: int, pieces: list[bytes], size: int) -> int:
    if not size:
        return 0
    written = os.writev(descriptor, pieces)
    if written < size:
        rest = memoryview(b"".join(pieces))[written:]
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    return size


@contextmanager
def _put_back_on_trouble(descriptor: int, before: os.stat_result, path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        with suppress(OSError):
            os.ftruncate(descriptor, before.st_size)
            os.utime(descriptor, ns=(before.st_atime_ns, before.st_mtime_ns))
        raise writing_trouble(error, path) from None


def _find_earlier(descriptor: int, before: os.stat_result, work: FileWork, body: Body) -> int:
    """What an attempt before this one left: `size`, the file holds all of the message; less, it holds a part at its end, which begins there,
    for that attempt was killed; -1, it holds nothing of it, as far as its end was searched. Where the file is shared and no Envelope-to tells
    whose a copy is, a whole one may be another address's: rather one too many than one too few."""
    size = before.st_size
    start = max(0, size - _LOOK_BACK) // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY
    if not work.proof or not _searched.may_hold(descriptor, before, work.proof, start):
        return -1
    pieces = chain((work.head,), body.chunks(), (work.tail,))
    first = b"".join(islice(pieces, 4))
    at = first.find(work.proof)
    with mmap.mmap(descriptor, size - start, access=mmap.ACCESS_READ, offset=start) as content:
        found = content.rfind(work.proof)
        if found < 0:
            return -1
        owner = _envelope_to(first[: max(at, 0)])
        if work.is_shared and owner not in content[max(0, found - at) : found]:
            return -1
        in_front = len(_own_line(work, body)) + at
        expected = chain((first[at:],), pieces)
        present = _compare(
            content, found, expected, size, start + found - in_front, -1 if work.is_shared else size
        )
        return -1 if work.is_shared and not owner and present == size else present


def _envelope_to(front: bytes) -> bytes:
    at = front.find(b"Envelope-to:")
    return front[at : front.find(b"\n", at) + 1] if at >= 0 else b""


def _own_line(work: FileWork, body: Body) -> bytes:
    """What MBX puts before a message."""
    size = len(work.head) + body.size + len(work.tail)
    return message_header(size, time.time()) if work.kind == "mbx" else b""


def _compare(
    content: mmap.mmap, found: int, expected: Iterable[bytes], size: int, begin: int, otherwise: int
) -> int:
    """As `_find_earlier`. `otherwise`: of what differs. Somebody who reads the mailbox has changed it since, or it is another address's."""
    position = found
    for piece in expected:
        there = content[position : position + len(piece)]
        if there != piece:
            is_cut = position + len(there) == len(content) and piece.startswith(there)
            return max(0, begin) if is_cut else otherwise
        position += len(piece)
    return size


def _into_pipe(work: FileWork, body: Body, descriptor: int) -> Written:
    """A named pipe that somebody reads, and goes on reading."""
    deadline = time.monotonic() + _PIPE_PATIENCE
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    for piece in (work.head, *body.chunks(), work.tail):
        rest = memoryview(piece)
        while rest:
            try:
                rest = rest[os.write(descriptor, rest) :]
            except BlockingIOError:
                if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                    raise stop(f"nobody reads the named pipe {work.path}") from None
            except OSError as error:
                raise trouble(error, f"error while writing to {work.path}") from None
    return Written(work.path)
