"""An mbox that deliveries and other mail programs use as well."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.clock import JumpClock

from pillarbox.backends.mailstore.mbox import inbox as inbox_module
from pillarbox.backends.mailstore.mbox import scan as scanning
from pillarbox.backends.mailstore.mbox.store import PlacedStores
from pillarbox.ports.mailplace import MailPlace
from pillarbox.ports.mailstore import Mailbox, MailboxBusy, MailboxReadOnly, MailStore, NewMessage

DELETED = frozenset({"\\Deleted"})


def message(name: str, marks: str = "", text: str = "text") -> bytes:
    return f"From a@b Mon Nov 23 03:53:00 2026\n{marks}Subject: {name}\n\n{text}\n\n".encode()


@pytest.fixture
def box(tmp_path: Path) -> Path:
    return tmp_path / "box"


@pytest.fixture
async def stores() -> AsyncIterator[PlacedStores]:
    stores = PlacedStores(JumpClock())
    yield stores
    stores.close()


@pytest.fixture
async def store(stores: PlacedStores, tmp_path: Path, box: Path) -> AsyncIterator[MailStore]:
    store = await stores.open_store(str(MailPlace(str(tmp_path / "root"), str(box))))
    yield store
    store.close()


async def subjects(mailbox: Mailbox) -> dict[int, str]:
    found = {}
    for entry in mailbox.entries():
        content = await mailbox.content(entry.uid)
        assert content is not None
        assert len(content) == entry.size
        found[entry.uid] = content.split(b"\r\n")[0].decode().removeprefix("Subject: ")
    return found


def marks_of(mailbox: Mailbox) -> dict[int, frozenset[str]]:
    return {entry.uid: entry.flags for entry in mailbox.entries()}


async def test_nothing_is_made_before_mail_comes(store: MailStore, box: Path) -> None:
    inbox = await store.open("INBOX")
    assert list(inbox.entries()) == []
    assert not box.exists()
    box.write_bytes(message("first"))
    await inbox.refresh()
    assert await subjects(inbox) == {1: "first"}


async def test_uids_outlive_what_another_program_rewrites(store: MailStore, box: Path) -> None:
    box.write_bytes(b"".join(map(message, "abcd")))
    inbox = await store.open("INBOX")
    assert await subjects(inbox) == {1: "a", 2: "b", 3: "c", 4: "d"}
    await inbox.store_flags([3], "add", frozenset({"\\Flagged", "work"}))
    box.write_bytes(
        message("d", "Status: RO\nX-Status: A\n") + message("a", "Status: O\n") + message("c") + message("e")
    )
    await inbox.refresh()
    assert await subjects(inbox) == {1: "a", 3: "c", 4: "d", 5: "e"}
    assert marks_of(inbox)[3] == {"\\Flagged", "work"}
    assert marks_of(inbox)[4] == frozenset(), "flags of what is known are ours"
    assert inbox.changes_since(1).expunged == (2,)


async def test_a_message_that_was_edited_is_another_one(store: MailStore, box: Path) -> None:
    box.write_bytes(message("a") + message("b"))
    inbox = await store.open("INBOX")
    box.write_bytes(message("a", text="TEXT") + message("b"))
    assert await inbox.content(1) is None
    await inbox.refresh()
    assert await subjects(inbox) == {2: "b", 3: "a"}


async def test_flags_of_others_are_taken_over_once(store: MailStore, box: Path) -> None:
    box.write_bytes(message("a", "Status: RO\nX-Status: F\n"))
    inbox = await store.open("INBOX")
    assert marks_of(inbox) == {1: frozenset({"\\Seen", "\\Flagged"})}


async def test_equal_messages_have_uids_of_their_own(store: MailStore, box: Path) -> None:
    box.write_bytes(message("a") * 3)
    inbox = await store.open("INBOX")
    assert await subjects(inbox) == {1: "a", 2: "a", 3: "a"}
    await inbox.store_flags([2], "add", DELETED)
    assert await inbox.expunge() == (2,)
    await inbox.refresh()
    assert await subjects(inbox) == {1: "a", 3: "a"}
    assert box.read_bytes() == message("a") * 2


async def test_mail_that_comes_while_messages_are_removed_stays(store: MailStore, box: Path) -> None:
    box.write_bytes(b"".join(map(message, "abc")))
    inbox = await store.open("INBOX")
    await inbox.store_flags([1, 2], "add", DELETED)
    with box.open("ab") as file:
        file.write(message("later"))
    assert await inbox.expunge([1]) == (1,)
    assert box.read_bytes() == b"".join(map(message, ("b", "c", "later")))
    assert await subjects(inbox) == {2: "b", 3: "c", 4: "later"}


async def test_a_file_that_is_locked_waits_for_the_next_look(store: MailStore, box: Path) -> None:
    box.write_bytes(message("a"))
    inbox = await store.open("INBOX")
    await inbox.store_flags([1], "add", DELETED)
    lock = box.with_name("box.lock")
    lock.touch()
    with box.open("ab") as file:
        file.write(message("half")[:40])
        await inbox.refresh()
        assert await subjects(inbox) == {1: "a"}
        with pytest.raises(MailboxBusy):
            await inbox.expunge()
        with pytest.raises(MailboxBusy):
            await store.append("INBOX", [NewMessage(b"A: b\r\n\r\n")])
        file.write(message("half")[40:])
    lock.unlink()
    assert await inbox.expunge() == (1,)
    assert await subjects(inbox) == {2: "half"}


async def test_a_writer_with_fcntl_alone_is_respected(store: MailStore, box: Path) -> None:
    box.write_bytes(message("a"))
    with box.open("ab") as file:
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, inbox_lock())
        with pytest.raises(MailboxBusy):
            await store.open("INBOX")
    assert await subjects(await store.open("INBOX")) == {1: "a"}


def inbox_lock() -> bytes:
    from pillarbox.backends.userfiles.locks import _FLOCK

    return _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)


async def test_the_file_is_not_read_again_by_the_next_process(
    stores: PlacedStores, store: MailStore, box: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.write_bytes(b"".join(map(message, "abc")))
    inbox = await store.open("INBOX")
    await inbox.store_flags([2], "add", DELETED)
    await inbox.expunge()
    with box.open("ab") as file:
        file.write(message("d"))
    measured: list[int] = []
    span_of = scanning._span

    def measure(descriptor: int, start: int, text: int, following: int) -> scanning.Span:
        measured.append(start)
        return span_of(descriptor, start, text, following)

    monkeypatch.setattr(scanning, "_span", measure)
    other = PlacedStores(JumpClock())
    again = await (await other.open_store(str(MailPlace(str(tmp_path / "root"), str(box))))).open("INBOX")
    assert await subjects(again) == {1: "a", 3: "c", 4: "d"}
    assert measured == [len(message("a")), 2 * len(message("a"))], "the last one known, and the new one"
    other.close()


class RealClock(JumpClock):
    """Who waits for the other's lock waits in earnest."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0.001)


async def test_two_processes_give_the_same_uids(box: Path, tmp_path: Path) -> None:
    stores, others = PlacedStores(RealClock()), PlacedStores(RealClock())
    store = await stores.open_store(str(MailPlace(str(tmp_path / "root"), str(box))))
    other = await (await others.open_store(str(MailPlace(str(tmp_path / "root"), str(box))))).open("INBOX")
    inbox = await store.open("INBOX")
    for name in "abcdefgh":
        with box.open("ab") as file:
            file.write(message(name))
        await asyncio.gather(inbox.refresh(), other.refresh())
    await inbox.refresh()
    assert await subjects(inbox) == await subjects(other) == dict(enumerate("abcdefgh", 1))
    await asyncio.gather(inbox.store_flags([1, 5], "add", DELETED), other.store_flags([8], "add", DELETED))
    await inbox.refresh()
    gone = await asyncio.gather(inbox.expunge([1, 5]), other.expunge([8]))
    assert list(gone) == [(1, 5), (8,)]
    await inbox.refresh()
    await other.refresh()
    assert await subjects(inbox) == await subjects(other) == {2: "b", 3: "c", 4: "d", 6: "f", 7: "g"}
    stores.close()
    others.close()


async def test_what_is_put_in_is_quoted_and_stands_apart(store: MailStore, box: Path) -> None:
    box.write_bytes(message("a")[:-1])
    await store.append(
        "INBOX", [NewMessage(b"Subject: b\r\n\r\nFrom here\r\nx", frozenset({"\\Seen"}), 1.7e9)]
    )
    inbox = await store.open("INBOX")
    assert await inbox.content(2) == b"Subject: b\r\n\r\n>From here\r\nx\r\n"
    assert [entry.internal_date for entry in inbox.entries()][1] == 1.7e9
    assert b"text\n\nFrom MAILER-DAEMON " in box.read_bytes()


async def test_a_new_message_ends_the_wait(store: MailStore, box: Path) -> None:
    box.write_bytes(message("a"))
    inbox = await store.open("INBOX")
    waiting = asyncio.create_task(inbox.wait_for_change(20))
    for _ in range(3):
        await asyncio.sleep(0)
    with box.open("ab") as file:
        file.write(message("b"))
    assert await asyncio.wait_for(waiting, 10)


async def test_what_is_remembered_may_be_rubbish(store: MailStore, box: Path, tmp_path: Path) -> None:
    (tmp_path / "root" / inbox_module.CACHE).write_bytes(b"\x00rubbish")
    box.write_bytes(message("a"))
    assert await subjects(await store.open("INBOX")) == {1: "a"}


async def test_what_cannot_be_read_is_told_at_once(stores: PlacedStores, box: Path, tmp_path: Path) -> None:
    box.symlink_to("/etc/passwd")
    place = str(MailPlace(str(tmp_path / "root"), str(box)))
    with pytest.raises(OSError, match="symbolic links"):
        await stores.open_store(place)
    box.unlink()
    box.mkdir()
    with pytest.raises(OSError, match="not a regular file"):
        await stores.open_store(place)


async def test_a_file_that_may_not_be_changed_can_be_read(
    store: MailStore, box: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.write_bytes(message("a"))
    inbox = await store.open("INBOX")
    await inbox.store_flags([1], "add", DELETED)

    def refuse(path: str, flags: int, mode: int = 0o777) -> int:
        if path.endswith(".lock"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path, flags, mode)

    real = os.open
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(MailboxReadOnly):
        await inbox.expunge()
    assert await subjects(inbox) == {1: "a"}
