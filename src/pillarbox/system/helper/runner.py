"""The process at the other end of a command channel: runs one command after another, each in a process that has given up root for good.

The command gets a session of its own, two descriptors that came along with the request, and nothing else. When the channel closes or says
anything while it runs, its whole session is killed: what a command leaves running does not outlive its delivery's patience.
"""

from __future__ import annotations

import array
import errno
import os
import resource
import select
import signal
import socket
import struct
from contextlib import suppress
from typing import NoReturn

import msgspec

from pillarbox.ports.localwork import Actor
from pillarbox.system.helper.identity import Bounds, Refused, become_for_good
from pillarbox.system.helper.requests import Answer, Ended, Frames, Refusal, Run, frame_of, parse_request

_TROUBLE = struct.Struct("<i16s")
_READ = 1 << 18
_USUAL_AGAIN = (
    signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGCHLD,
)  # fmt: skip
"""Signals that a command gets as anybody's does, whatever we do with them."""


class Runner:
    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds

    def serve(self, channel: socket.socket) -> None:
        """Until the other end closes."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        frames = Frames()
        held: list[int] = []
        while True:
            room = socket.CMSG_SPACE(2 * array.array("i").itemsize)
            data, ancillary, _, _ = channel.recvmsg(_READ, room, getattr(socket, "MSG_CMSG_CLOEXEC", 0))
            for _, kind, payload in ancillary:
                if kind == socket.SCM_RIGHTS:
                    held.extend(array.array("i", payload))
            if not data:
                return
            for frame in frames.take(data):
                if _is_gone(channel):
                    return  # its successor starts the command; twice at once would be once too often
                answer = self._answer(frame, held, channel)
                _close_all(held)
                channel.sendall(frame_of(answer))

    def _answer(self, frame: bytes, descriptors: list[int], channel: socket.socket) -> Answer:
        try:
            request = parse_request(frame)
            if not isinstance(request, Run) or len(descriptors) != 2 or request.actor is None:
                raise Refused("not a command")
            self._bounds.check(request.actor)
        except (Refused, msgspec.DecodeError) as error:
            return Refusal(str(error))
        return run(request, request.actor, descriptors, channel)


def _is_gone(channel: socket.socket) -> bool:
    """Whether the other end has closed, whatever there is still to be read."""
    poll = select.poll()
    poll.register(channel, select.POLLRDHUP)
    return bool(poll.poll(0))


def _close_all(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
    descriptors.clear()


def run(request: Run, actor: Actor | None, descriptors: list[int], channel: socket.socket) -> Ended:
    """Start, wait, kill when the channel stirs."""
    read_end, write_end = os.pipe2(os.O_CLOEXEC)
    try:
        child = os.fork()
    except OSError as error:
        os.close(read_end)
        os.close(write_end)
        return Ended(failed_to="fork", error=error.errno or errno.EAGAIN)
    if child == 0:
        os.close(read_end)
        _be_command(request, actor, descriptors, write_end)
    os.close(write_end)
    _close_all(descriptors)
    trouble = os.read(read_end, _TROUBLE.size)
    os.close(read_end)
    if len(trouble) == _TROUBLE.size:
        os.waitpid(child, 0)
        code, step = _TROUBLE.unpack(trouble)
        return Ended(failed_to=step.rstrip(b"\0").decode("ascii"), error=code)
    return Ended(_await(child, channel))


def _await(child: int, channel: socket.socket) -> int:
    """The status that it ended with."""
    watch = os.pidfd_open(child)
    try:
        poll = select.poll()
        poll.register(watch, select.POLLIN)
        poll.register(channel, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll()}
        if watch not in ready:
            _discard(channel)
            with suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
    finally:
        os.close(watch)
    _, status = os.waitpid(child, 0)
    with suppress(ProcessLookupError, PermissionError):
        if os.WIFSIGNALED(status):
            os.killpg(child, signal.SIGKILL)  # what it started goes with it
    return status


def _discard(channel: socket.socket) -> None:
    """The word to kill; a closed channel is seen by the next receive too."""
    with suppress(OSError):
        channel.recv(1, socket.MSG_DONTWAIT)


def _be_command(request: Run, actor: Actor | None, descriptors: list[int], report: int) -> NoReturn:
    step = b"setuid"
    try:
        os.setsid()
        os.dup2(descriptors[0], 0)
        os.dup2(descriptors[1], 1)
        os.dup2(descriptors[1], 2)
        if report != 3:
            os.dup2(report, 3, inheritable=False)
        os.closerange(4, 1 << 16)
        if actor is not None:
            become_for_good(actor)
        step = b"chdir"
        os.chdir(request.directory)
        step = b"exec"
        os.umask(request.umask)
        core = resource.RLIM_INFINITY if request.permits_core else 0
        with suppress(ValueError, OSError):
            hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
            resource.setrlimit(resource.RLIMIT_CORE, (core if hard == resource.RLIM_INFINITY else 0, hard))
        for number in _USUAL_AGAIN:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.execve(
            request.arguments[0], request.arguments, dict(p.split(b"=", 1) for p in request.environment)
        )
    except OSError as error:
        code = error.errno or errno.EPERM
    except BaseException:
        code = errno.EINVAL
    os.write(3, _TROUBLE.pack(code, step))
    os._exit(127)
