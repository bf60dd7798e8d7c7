"""The process at the other end of a file channel: takes requests in order, answers each, waits for nothing but the disk.

How a mailbox is written is given at the start (`FilesOf`): this module brings the right rights and the body.
"""

from __future__ import annotations

import array
import errno
import os
import select
import signal
import socket
import stat
from collections import deque
from collections.abc import Callable, Iterator

from pillarbox.mail.message import Body, MemoryBody
from pillarbox.ports.localwork import Actor, FileFacts, FoundFile
from pillarbox.ports.userfiles import FileResult, FileWork, NotWritten
from pillarbox.system.durable import OsDisk
from pillarbox.system.helper.identity import Identity, Refused
from pillarbox.system.helper.requests import (
    AllFoundAnswer,
    Answer,
    CheckPassword,
    Deliver,
    Done,
    FileAnswer,
    FoundAnswer,
    Frames,
    Look,
    LookAtAll,
    OpenMail,
    Read,
    Refusal,
    Request,
    Run,
    Sync,
    frame_of,
    parse_request,
)

IsWanted = Callable[[], bool]
"""Whether the one who asked for a piece of work is still there."""
DeliverFile = Callable[[FileWork, Body, IsWanted], tuple[FileResult, int]]
"""(work, body, whether somebody waits for it) → the result, and the device that it lies on (0: nothing was written). Never waits for a lock;
asks under the lock."""
CheckLogin = Callable[[str, str, str], bool]
"""(login, password, PAM service or empty), with root's rights. Raises Refused."""
PASSWORD_PATIENCE = 30.0
"""Seconds that a password may take."""
_READ = 1 << 18
_CHUNK = 1 << 17


class DescriptorBody:
    """A body in a file that somebody else has open."""

    __slots__ = ("_fd", "_start", "lines", "size")

    def __init__(self, fd: int, start: int, size: int, lines: int) -> None:
        self._fd = fd
        self._start = start
        self.size = size
        self.lines = lines

    def chunks(self) -> Iterator[bytes]:
        position, end = self._start, self._start + self.size
        while position < end:
            piece = os.pread(self._fd, min(_CHUNK, end - position), position)
            if not piece:
                raise OSError(errno.EIO, "the message's file has become shorter")
            position += len(piece)
            yield piece


class Desk:
    def __init__(self, identity: Identity, deliver: DeliverFile, check: CheckLogin) -> None:
        self._identity = identity
        self._deliver = deliver
        self._check = check
        self._descriptors: deque[int] = deque()
        self._watch = select.poll()

    def serve(self, channel: socket.socket) -> None:
        """Until the other end closes."""
        frames = Frames()
        self._watch.register(channel, select.POLLRDHUP)
        while True:
            data = self._receive(channel)
            if not data:
                return
            answers = [frame_of(self._answer(frame)) for frame in frames.take(data)]
            if answers:
                channel.sendall(b"".join(answers))

    def _is_wanted(self) -> bool:
        """Seen at once when the other end closes, whatever there is still to be read: its successor has the messages then, and does not know
        of requests that lie in our socket."""
        return not self._watch.poll(0)

    def _receive(self, channel: socket.socket) -> bytes:
        room = socket.CMSG_SPACE(8 * array.array("i").itemsize)
        data, ancillary, _, _ = channel.recvmsg(_READ, room, getattr(socket, "MSG_CMSG_CLOEXEC", 0))
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                found = array.array("i")
                found.frombytes(payload[: len(payload) - len(payload) % found.itemsize])
                self._descriptors.extend(found)
        return data

    def _answer(self, frame: bytes) -> Answer:
        try:
            return self._do(parse_request(frame))
        except Refused as refused:
            return Refusal(str(refused))
        except Exception as error:  # a fault in one piece of work is not the end of the others
            return Refusal(f"{type(error).__name__}: {error}")

    def _do(self, request: Request) -> Answer:
        match request:
            case Deliver():
                return self._write(request)
            case Read():
                self._as(request.actor)
                return FoundAnswer(read_file(request.path, request.limit))
            case Look():
                self._as(request.actor)
                return FoundAnswer(look_at(request.path, request.follows_links))
            case LookAtAll():
                self._as(request.actor)
                return AllFoundAnswer(tuple(map(look_for, request.paths)))
            case Sync():
                self._identity.resign()
                for device, place in request.places:
                    sync_place(device, place)
                return Done()
            case CheckPassword():
                self._identity.resign()
                return Done(self._checked(request))
            case Run() | OpenMail():
                raise Refused("something else on a channel for files")

    def _checked(self, request: CheckPassword) -> bool:
        """PAM asks whom it likes and has no bound of its own: it ends with this process."""
        signal.setitimer(signal.ITIMER_REAL, PASSWORD_PATIENCE)
        try:
            return self._check(request.login, request.password, request.service)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0.0)

    def _as(self, actor: Actor | None) -> None:
        if actor is None:
            raise Refused("nobody was named to act as")
        self._identity.become(actor)

    def _go_to(self, directory: str) -> FileAnswer | None:
        """The answer when that cannot be. Nothing is opened by names relative to it: a home that is out of reach tells of trouble."""
        if not directory:
            return None
        try:
            os.chdir(directory)
        except OSError as error:
            return FileAnswer(NotWritten(f"failed to chdir to {directory}", error.errno or errno.EIO))
        return None

    def _write(self, request: Deliver) -> Answer:
        if request.size < 0:
            self._as(request.actor)
            stopped = self._go_to(request.work.directory)
            return stopped or self._written(request.work, MemoryBody(request.body))
        descriptor = self._descriptors.popleft()
        try:
            self._as(request.actor)
            if (stopped := self._go_to(request.work.directory)) is not None:
                return stopped
            body = DescriptorBody(descriptor, request.start, request.size, request.lines)
            return self._written(request.work, body)
        finally:
            os.close(descriptor)

    def _written(self, work: FileWork, body: Body) -> FileAnswer:
        return FileAnswer(*self._deliver(work, body, self._is_wanted))


def read_file(path: str, limit: int) -> FoundFile:
    """A regular file, as who we are."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        return FoundFile(getattr(error, "errno", 0) or errno.EINVAL)
    try:
        facts = _facts(os.fstat(descriptor))
        if not stat.S_ISREG(facts.mode):
            return FoundFile(errno.EINVAL, facts)
        data = _read_up_to(descriptor, limit + 1)
        return FoundFile(0, facts, data[:limit], len(data) > limit)
    except OSError as error:
        return FoundFile(error.errno or errno.EIO)
    finally:
        os.close(descriptor)


def _read_up_to(descriptor: int, limit: int) -> bytes:
    pieces: list[bytes] = []
    while limit > 0 and (piece := os.read(descriptor, min(limit, _CHUNK))):
        pieces.append(piece)
        limit -= len(piece)
    return b"".join(pieces)


def look_at(path: str, follows_links: bool) -> FoundFile:
    try:
        return FoundFile(0, _facts(os.stat(path, follow_symlinks=follows_links)))
    except (OSError, ValueError) as error:
        return FoundFile(getattr(error, "errno", 0) or errno.EINVAL)


def look_for(path: str) -> FoundFile:
    """Links followed; where one leads nowhere, the error and its own facts."""
    found = look_at(path, True)
    return FoundFile(found.error, look_at(path, False).facts) if found.error == errno.ENOENT else found


def _facts(status: os.stat_result) -> FileFacts:
    return FileFacts(status.st_uid, status.st_gid, status.st_mode, status.st_size, status.st_mtime)


def sync_place(device: int, place: str) -> None:
    """The file system `device`, of which `place` is a directory; when that is elsewhere by now, all of them."""
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        os.sync()
        return
    try:
        if os.fstat(descriptor).st_dev == device:
            OsDisk().syncfs(descriptor)
        else:
            os.sync()
    finally:
        os.close(descriptor)
