"""A user's mail served as the user: the process at the other end of such a channel gives up root for good before anything is opened.

What it does then is given at the start of the helper (`LoadServer`); the first frame, from the worker, says as whom and where.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import suppress

from pillarbox.ports.mailplace import parse_place
from pillarbox.system.filegroup import group_of
from pillarbox.system.helper.identity import Bounds, become_for_good
from pillarbox.system.helper.requests import (
    LENGTH,
    MAX_FRAME,
    FrameTooLong,
    OpenMail,
    frame_of,
    parse_request,
)

ServeMail = Callable[[socket.socket, str], None]
"""(channel, where the mail is: ports.mailplace). Until the other end closes."""
LoadServer = Callable[[], ServeMail]
"""Called while still root: the user may not be able to read our code."""


def request_mail(channel: socket.socket, request: OpenMail) -> None:
    """From the worker's side. Raises OSError."""
    channel.sendall(frame_of(request))


def serve_mail(channel: socket.socket, bounds: Bounds, load: LoadServer) -> None:
    """Raises Refused, OSError, FrameTooLong, msgspec.DecodeError."""
    channel.settimeout(None)
    (length,) = LENGTH.unpack(_exactly(channel, LENGTH.size))
    if length > MAX_FRAME:
        raise FrameTooLong
    request = parse_request(_exactly(channel, length))
    if not isinstance(request, OpenMail):
        raise FrameTooLong
    bounds.check(request.actor)
    serve = load()
    become_for_good(request.actor, _lock_group(request.home))
    os.chdir("/")
    serve(channel, request.home)


def _lock_group(home: str) -> int:
    """For the lock file beside an mbox in /var/mail: see system.filegroup."""
    inbox = parse_place(home).inbox
    if not inbox:
        return -1
    with suppress(OSError):
        return group_of(os.path.dirname(inbox))
    return -1


def _exactly(channel: socket.socket, count: int) -> bytes:
    data = channel.recv(count, socket.MSG_WAITALL)
    if len(data) != count:
        raise ConnectionResetError
    return data
