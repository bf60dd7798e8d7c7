"""The helper itself: forked while we are still root, it forks a process for each channel that is asked for.

A channel is asked for by sending one end of a socket pair over the helper's own, which the supervisor's workers inherit. When all of them have
closed theirs the helper ends; when a worker closes a channel, the process behind it does. A helper that dies otherwise is made anew (`keeper`);
the processes behind channels do not need it.
"""

from __future__ import annotations

import array
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, NoReturn

from pillarbox.system.helper.crowding import make_room
from pillarbox.system.helper.desk import CheckLogin, DeliverFile, Desk
from pillarbox.system.helper.identity import Bounds, Identity, Refused
from pillarbox.system.helper.keeper import keep
from pillarbox.system.helper.mail import LoadServer, serve_mail
from pillarbox.system.helper.runner import Runner

MAX_CHANNELS = 512
_REAP_EVERY = 5000
"""Milliseconds that the dead wait to be buried at most."""
FILES, COMMANDS, MAIL = b"f", b"c", b"m"
MAX_MAIL = 384
"""Of the channels: users whose mail is read as they. The rest is for deliveries."""


class HelperEnd:
    """Our end of the helper: channels are opened with it. Forked processes share it."""

    __slots__ = ("_socket",)

    def __init__(self, end: socket.socket) -> None:
        self._socket = end

    def open(self, kind: bytes) -> socket.socket:
        """Our end of a fresh channel, not blocking. Raises OSError when the helper has gone."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            try:
                socket.send_fds(self._socket, [kind], [theirs.fileno()], socket.MSG_DONTWAIT)
            except OSError:
                ours.close()
                raise
        ours.setblocking(False)
        return ours

    def fileno(self) -> int:
        """Readable when there are tidings."""
        return self._socket.fileno()

    def tidings(self) -> str | None:
        """What the keeper tells of a helper that died, to one of us. None: nothing. Raises ConnectionResetError when there will be no other."""
        try:
            data = self._socket.recv(1024, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        if not data:
            raise ConnectionResetError
        return data.decode("utf-8", "replace")

    def close(self) -> None:
        self._socket.close()


class Duties(NamedTuple):
    """How the work is done; the helper brings the rights."""

    bounds: Bounds
    deliver: DeliverFile
    check: CheckLogin
    load_server: LoadServer | None = None


def start(
    bounds: Bounds, deliver: DeliverFile, check: CheckLogin, load_server: LoadServer | None = None
) -> HelperEnd:
    """Fork the helper and its keeper; only root can be of use as one. They are nobody's children, so nobody waits for them. Raises OSError."""
    duties = Duties(bounds, deliver, check, load_server)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sys.stdout.flush()
    sys.stderr.flush()
    first = os.fork()
    if first == 0:
        try:
            if os.fork() == 0:
                _settle(theirs)
                keep(theirs, lambda: _be_helper(theirs, duties))
        finally:
            os._exit(0)
    os.waitpid(first, 0)
    theirs.close()
    os.set_inheritable(ours.fileno(), False)
    return HelperEnd(ours)


def _be_helper(end: socket.socket, duties: Duties) -> NoReturn:
    code = 0
    try:
        _listen(end, lambda channel, kind: _serve(channel, kind, duties))
    except BaseException as fault:
        print(f"pillarbox: the root helper broke off: {fault!r}", file=sys.stderr, flush=True)
        code = 70
    finally:
        os._exit(code)


def _settle(end: socket.socket) -> None:
    """Nothing of the daemon stays open, and nobody but the last owner of the other end stops us."""
    os.setsid()
    os.chdir("/")
    os.umask(0)
    keep = end.fileno()
    os.closerange(3, keep)
    os.closerange(keep + 1, 1 << 16)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _listen(end: socket.socket, serve: Callable[[socket.socket, bytes], None]) -> None:
    children: dict[int, bytes] = {}
    poll = select.poll()
    poll.register(end, select.POLLIN)
    while True:
        if not poll.poll(_REAP_EVERY if children else None):
            _reap(children)
            continue
        data, ancillary, _, _ = end.recvmsg(16, socket.CMSG_SPACE(4), getattr(socket, "MSG_CMSG_CLOEXEC", 0))
        _reap(children)
        if not data:
            return
        for _, _, payload in ancillary:
            with socket.socket(fileno=array.array("i", payload)[0]) as channel:
                if _has_room(children, data):
                    child = os.fork()
                    if child == 0:
                        end.close()
                        serve(channel, data)
                        os._exit(0)
                    children[child] = data


def _has_room(children: dict[int, bytes], kind: bytes) -> bool:
    if kind == MAIL:
        serving = [process for process, each in children.items() if each == MAIL]
        if len(serving) >= MAX_MAIL:
            make_room(serving)
            return False
    return len(children) < MAX_CHANNELS


def _reap(children: dict[int, bytes]) -> None:
    with suppress(ChildProcessError):
        while (child := os.waitpid(-1, os.WNOHANG)[0]) > 0:
            children.pop(child, None)


def _serve(channel: socket.socket, kind: bytes, duties: Duties) -> None:
    try:
        if kind == FILES:
            Desk(Identity(duties.bounds), duties.deliver, duties.check).serve(channel)
        elif kind == COMMANDS:
            Runner(duties.bounds).serve(channel)
        elif kind == MAIL and duties.load_server is not None:
            serve_mail(channel, duties.bounds, duties.load_server)
    except (ConnectionError, BrokenPipeError, Refused):
        pass
    except BaseException as fault:
        print(f"pillarbox: a process of the root helper broke off: {fault!r}", file=sys.stderr, flush=True)
    finally:
        os._exit(0)
