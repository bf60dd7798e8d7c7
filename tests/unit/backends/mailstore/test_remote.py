"""What comes from a user's process is hostile: it costs neither memory nor time without end."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest

from pillarbox.backends.mailstore.remote import frames, line
from pillarbox.backends.mailstore.remote.frames import BrokenFrames, Frames
from pillarbox.backends.mailstore.remote.line import Line
from pillarbox.backends.mailstore.remote.mailbox import RemoteMailbox
from pillarbox.backends.mailstore.remote.requests import Answer, Forget, Listing, Opened, encode
from pillarbox.ports.mailstore import Entry, StoreGone
from pillarbox.system.loop import run


async def test_empty_pieces_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "MOST", 100_000)
    reader = asyncio.StreamReader()
    for number in range(1000):
        reader.feed_data(struct.pack("<IIB", 0, number, 1))
    reader.feed_eof()
    with pytest.raises(BrokenFrames):
        await Frames(reader, None).read()  # type: ignore[arg-type]


async def test_what_is_whole_is_counted_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "MOST", 2000)
    reader = asyncio.StreamReader()
    for number in range(100):
        reader.feed_data(struct.pack("<IIB", 1, number, 1) + b"a" + struct.pack("<IIB", 1, number, 0) + b"b")
    reader.feed_eof()
    ours = Frames(reader, None)  # type: ignore[arg-type]
    assert [await ours.read() for _ in range(101)] == [*((number, b"ab") for number in range(100)), None]


def opened(uid_next: int) -> RemoteMailbox:
    entry = Entry(2, 3, frozenset(), 0.0, 10, 0.0)
    return RemoteMailbox(None, Opened(1, "INBOX", "P", 1, uid_next, 5, (entry,)))  # type: ignore[arg-type]


def test_what_went_before_it_was_opened_is_not_counted() -> None:
    assert opened(5).changes_since(1).gaps == ((1, 1), (3, 4))
    assert opened(1 << 62).changes_since(1).gaps == ((1, 1), (3, (1 << 32) - 1))
    assert opened(1).changes_since(1).gaps == ((1, 1),)


async def test_who_does_not_answer_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "PATIENCE", 0.01)
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with theirs:
        greeting = encode(Answer())
        theirs.sendall(struct.pack("<IIB", len(greeting), 0, 0) + greeting)
        asked = await Line.open(ours)
        with pytest.raises(StoreGone):
            await asked.ask(Listing())
        assert asked.is_broken
        with pytest.raises(StoreGone):
            await asked.ask(Listing())


def test_who_goes_at_any_moment_is_gone() -> None:
    """On the loop that serves: its transports raise what nobody expects when they are written to behind their end."""

    async def talk() -> int:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        greeting = encode(Answer())
        theirs.sendall(struct.pack("<IIB", len(greeting), 0, 0) + greeting)
        asked = await Line.open(ours)
        theirs.close()
        for _ in range(20):
            asked.tell(Forget(1))
            await asyncio.sleep(0)
        with pytest.raises(StoreGone):
            await asked.ask(Listing())
        return 0

    assert run(talk()) == 0


async def test_who_does_not_even_greet_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "PATIENCE", 0.01)
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with theirs, pytest.raises(OSError):
        await Line.open(ours)
