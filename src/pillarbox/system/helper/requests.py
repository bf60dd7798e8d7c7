"""The closed list of requests, their answers, and how both look on a channel.

A frame is four bytes of length (little-endian) and a msgpack array. Answers come in the order of their requests, so they need no number.
Descriptors travel with the first byte of their frame.
"""

from __future__ import annotations

import struct

import msgspec

from pillarbox.ports.localwork import Actor, FoundFile
from pillarbox.ports.userfiles import FileBusy, FileWork, NotWritten, OtherFormat, Written

LENGTH = struct.Struct("<I")
MAX_FRAME = 8 * 1024 * 1024
INLINE = 1024 * 1024
"""Larger bodies travel by descriptor."""


class Deliver(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=0):
    work: FileWork
    actor: Actor | None = None
    body: bytes = b""
    size: int = -1
    """Not -1: the body is in the file whose descriptor comes along, this many bytes from `start`."""
    start: int = 0
    lines: int = 0


class Read(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=1):
    path: str
    actor: Actor | None
    limit: int


class Look(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=2):
    path: str
    actor: Actor | None
    follows_links: bool


class LookAtAll(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=6):
    paths: tuple[str, ...]
    actor: Actor | None


class OpenMail(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=7):
    """The first and only one on a channel for mail."""

    actor: Actor
    home: str


class Sync(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=3):
    """Make what lies on these file systems durable: (device, a directory on it)."""

    places: tuple[tuple[int, str], ...]


class CheckPassword(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=4):
    login: str
    password: str
    service: str

    def __repr__(self) -> str:
        return f"CheckPassword({self.login!r})"


class Run(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=5):
    """Two descriptors come along: standard input, and standard output with error. Any further byte on the channel kills it."""

    actor: Actor | None
    arguments: tuple[bytes, ...]
    environment: tuple[bytes, ...]
    """`name=value`."""
    directory: bytes
    umask: int
    permits_core: bool


Request = Deliver | Read | Look | LookAtAll | OpenMail | Sync | CheckPassword | Run


class FileAnswer(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=0):
    result: Written | NotWritten | FileBusy | OtherFormat
    device: int = 0


class FoundAnswer(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=1):
    found: FoundFile


class AllFoundAnswer(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=5):
    """In the order of the paths."""

    found: tuple[FoundFile, ...]


class Done(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=2):
    """`is_true`: the password is right."""

    is_true: bool = True


class Ended(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=3):
    """A command. `status` as wait(2) has it, unless it `failed_to` begin."""

    status: int = 0
    failed_to: str = ""
    error: int = 0


class Refusal(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=4):
    why: str


Answer = FileAnswer | FoundAnswer | AllFoundAnswer | Done | Ended | Refusal

_encoder = msgspec.msgpack.Encoder()
_requests: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_answers: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


class FrameTooLong(Exception):
    """The other end is not what it should be."""


def frame_of(value: Request | Answer) -> bytes:
    data = _encoder.encode(value)
    return LENGTH.pack(len(data)) + data


def parse_request(data: bytes | memoryview) -> Request:
    """Raises msgspec.DecodeError."""
    return _requests.decode(data)


def parse_answer(data: bytes | memoryview) -> Answer:
    """Raises msgspec.DecodeError."""
    return _answers.decode(data)


class Frames:
    """Bytes as they come → whole frames."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = b""

    def take(self, data: bytes) -> list[bytes]:
        """The frames that are complete now. Raises FrameTooLong."""
        held = self._held + data if self._held else data
        frames: list[bytes] = []
        position = 0
        while len(held) - position >= LENGTH.size:
            (length,) = LENGTH.unpack_from(held, position)
            if length > MAX_FRAME:
                raise FrameTooLong
            end = position + LENGTH.size + length
            if end > len(held):
                break
            frames.append(held[position + LENGTH.size : end])
            position = end
        self._held = held[position:]
        return frames
