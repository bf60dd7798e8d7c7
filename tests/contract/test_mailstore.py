"""What every mail store keeps of the port's promises."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.clock import JumpClock

from pillarbox.backends.mailstore.maildir.store import MaildirStores
from pillarbox.backends.mailstore.mbox.store import MboxStore, PlacedStores
from pillarbox.backends.mailstore.memory import MemoryStores
from pillarbox.backends.mailstore.remote.server import serve_channel
from pillarbox.backends.mailstore.remote.store import RemoteStores
from pillarbox.ports.localwork import Actor
from pillarbox.ports.mailplace import MailPlace
from pillarbox.ports.mailstore import (
    Mailbox,
    MailboxExists,
    MailboxNameInvalid,
    MailStore,
    MailStores,
    NewMessage,
    NoSuchMailbox,
)

MESSAGE = b"Subject: one\r\n\r\n.dot\r\nlast line without end"
WHOLE = MESSAGE + b"\r\n"
NASTY = [
    MESSAGE,
    b"",
    b"\r\n",
    b"no header at all",
    b"Subject: \xff\xfe\r\n\r\n\x00\x01 8-bit \x80\r\n",
    b"A: b\r\n\r\n" + b"x" * 200_000 + b"\r\n",
    b"A: bare\r\n\r\ncr \r in line\r\r\nand before its end\r\r\n\r\n.\r\n",
]


class ByAnother:
    """A Maildir at the other end of a socket, as the process of a user serves it."""

    def __init__(self) -> None:
        self._stores = RemoteStores(self._serve)
        self._serving: list[asyncio.Task[None]] = []

    def _serve(self, actor: Actor, home: str) -> socket.socket:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self._serving.append(asyncio.ensure_future(serve_channel(theirs, home, JumpClock())))
        return ours

    async def open_store(self, home: str, actor: Actor | None = None) -> MailStore:
        return await self._stores.open_store(home, Actor(1, 1))

    async def close(self) -> None:
        self._stores.close()
        await asyncio.gather(*self._serving)


class WithMbox:
    """INBOX is an mbox."""

    def __init__(self) -> None:
        self.own = PlacedStores(JumpClock(), host="test")

    async def open_store(self, home: str, actor: Actor | None = None) -> MailStore:
        return await self.own.open_store(str(MailPlace(home, home + ".mbox")))


@pytest.fixture(params=["memory", "maildir", "remote", "mbox"])
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[MailStores]:
    if request.param == "memory":
        yield MemoryStores(JumpClock())
        return
    if request.param == "remote":
        beside = ByAnother()
        yield beside
        await beside.close()
        return
    if request.param == "mbox":
        with_mbox = WithMbox()
        yield with_mbox
        with_mbox.own.close()
        return
    stores = MaildirStores(JumpClock(), host="test")
    yield stores
    stores.close()


@pytest.fixture
async def store(stores: MailStores, tmp_path: Path) -> AsyncIterator[MailStore]:
    store = await stores.open_store(str(tmp_path / "home"))
    yield store
    store.close()


async def fill(store: MailStore, count: int, name: str = "INBOX") -> tuple[int, ...]:
    return (await store.append(name, [NewMessage(b"N: %d\r\n\r\n" % n) for n in range(count)])).uids


def uids(mailbox: Mailbox) -> list[int]:
    return [entry.uid for entry in mailbox.entries()]


def flags(mailbox: Mailbox) -> dict[int, frozenset[str]]:
    return {entry.uid: entry.flags for entry in mailbox.entries()}


SEEN, DELETED = frozenset({"\\Seen"}), frozenset({"\\Deleted"})


async def test_new_store_has_the_usual_mailboxes(store: MailStore) -> None:
    listed = await store.list_mailboxes()
    assert [(info.name, info.special_use) for info in listed] == [
        ("INBOX", ""),
        ("Archive", "\\Archive"),
        ("Drafts", "\\Drafts"),
        ("Junk", "\\Junk"),
        ("Sent", "\\Sent"),
        ("Trash", "\\Trash"),
    ]
    assert all(info.is_selectable and info.is_subscribed and not info.has_children for info in listed)


@pytest.mark.parametrize("data", NASTY)
async def test_content_is_byte_for_byte(store: MailStore, data: bytes) -> None:
    appended = await store.append("INBOX", [NewMessage(data, SEEN, 1_700_000_000.0)])
    if isinstance(store, MboxStore) and data and not data.endswith(b"\n"):
        data += b"\r\n"  # the format has no other way
    mailbox = await store.open("inbox")
    (entry,) = mailbox.entries()
    assert (entry.uid,) == appended.uids
    assert await mailbox.content(entry.uid) == data
    assert (entry.size, entry.flags, entry.internal_date) == (len(data), SEEN, 1_700_000_000.0)
    assert await mailbox.content(entry.uid + 1) is None
    mailbox.close()


async def test_uids_rise_and_are_not_used_again(store: MailStore) -> None:
    first = await fill(store, 3)
    mailbox = await store.open("INBOX")
    assert uids(mailbox) == list(first)
    assert mailbox.uid_next > first[-1]
    await mailbox.store_flags([first[2]], "add", DELETED)
    assert await mailbox.expunge() == (first[2],)
    (later,) = await fill(store, 1)
    assert later > first[2]
    await mailbox.refresh()
    assert uids(mailbox) == [*first[:2], later]


async def test_view_moves_only_on_refresh(store: MailStore) -> None:
    mailbox = await store.open("INBOX")
    before = mailbox.highest_modseq
    made = await fill(store, 2)
    assert uids(mailbox) == []
    await mailbox.refresh()
    assert uids(mailbox) == list(made)
    assert mailbox.highest_modseq > before
    assert [entry.uid for entry in mailbox.changes_since(before).changed] == list(made)
    assert mailbox.changes_since(mailbox.highest_modseq).changed == ()


async def test_flags_set_add_remove(store: MailStore) -> None:
    one, two = await fill(store, 2)
    mailbox = await store.open("INBOX")
    await mailbox.store_flags([one, two], "add", frozenset({"\\seen", "$Forwarded", "\\Recent"}))
    assert flags(mailbox) == {one: SEEN | {"$Forwarded"}, two: SEEN | {"$Forwarded"}}
    await mailbox.store_flags([one], "remove", SEEN)
    await mailbox.store_flags([two], "set", frozenset({"\\Flagged", "blue"}))
    assert flags(mailbox) == {one: frozenset({"$Forwarded"}), two: frozenset({"\\Flagged", "blue"})}
    other = await store.open("INBOX")
    assert flags(other) == flags(mailbox)


async def test_flag_change_rises_modseq_only_when_something_changed(store: MailStore) -> None:
    one, two = await fill(store, 2)
    mailbox = await store.open("INBOX")
    before = mailbox.highest_modseq
    result = await mailbox.store_flags([one, 9999], "add", SEEN)
    assert [entry.uid for entry in result.changed] == [one]
    assert result.modified == (9999,)
    after = mailbox.highest_modseq
    assert after > before
    again = await mailbox.store_flags([one], "add", SEEN)
    assert mailbox.highest_modseq == after
    assert [(entry.uid, entry.modseq) for entry in again.changed] == [(one, after)]
    assert {entry.uid: entry.modseq for entry in mailbox.entries()}[two] <= before


async def test_unchanged_since_refuses_what_changed_later(store: MailStore) -> None:
    one, two = await fill(store, 2)
    mailbox, other = await store.open("INBOX"), await store.open("INBOX")
    known = mailbox.highest_modseq
    await other.store_flags([one], "add", frozenset({"\\Flagged"}))
    result = await mailbox.store_flags([one, two], "add", SEEN, unchanged_since=known)
    assert result.modified == (one,)
    assert [entry.uid for entry in result.changed] == [two]


async def test_expunge_takes_only_deleted_and_given(store: MailStore) -> None:
    made = await fill(store, 4)
    mailbox, other = await store.open("INBOX"), await store.open("INBOX")
    known = mailbox.highest_modseq
    await mailbox.store_flags(made[:2], "add", DELETED)
    assert await mailbox.expunge([made[1], made[2]]) == (made[1],)
    assert await mailbox.expunge() == (made[0],)
    assert uids(mailbox) == list(made[2:])
    assert uids(other) == list(made)
    assert await other.content(made[0]) is None
    await other.refresh()
    assert uids(other) == list(made[2:])
    changes = other.changes_since(known)
    assert changes.expunged == made[:2]
    assert changes.highest_modseq == other.highest_modseq == mailbox.highest_modseq


async def test_copy_keeps_flags_dates_and_bytes(store: MailStore) -> None:
    marks = frozenset({"\\Seen", "work"})
    (uid,) = (await store.append("INBOX", [NewMessage(WHOLE, marks, 1_600_000_000.0)])).uids
    inbox = await store.open("INBOX")
    inbox.put_cached(uid, "envelope", b"cached")
    copied = await inbox.copy_to([uid, 777], "Archive")
    archive = await store.open("Archive")
    assert (copied.source, copied.uid_validity) == ((uid,), archive.uid_validity)
    (entry,) = archive.entries()
    assert (entry.uid,) == copied.target
    assert (entry.flags, entry.internal_date, entry.size) == (marks, 1_600_000_000.0, len(WHOLE))
    assert await archive.content(entry.uid) == WHOLE
    assert archive.cached(entry.uid, "envelope") in (b"cached", None)
    assert uids(inbox) == [uid]
    with pytest.raises(NoSuchMailbox):
        await inbox.copy_to([uid], "Nowhere")


async def test_copy_into_itself(store: MailStore) -> None:
    (uid,) = await fill(store, 1)
    inbox = await store.open("INBOX")
    copied = await inbox.copy_to([uid], "INBOX")
    await inbox.refresh()
    assert uids(inbox) == [uid, *copied.target]


async def test_move(store: MailStore) -> None:
    made = await fill(store, 3)
    inbox = await store.open("INBOX")
    known = inbox.highest_modseq
    await inbox.store_flags([made[0]], "add", SEEN)
    moved = await inbox.move_to(made[:2], "Trash")
    assert moved.source == made[:2]
    assert uids(inbox) == [made[2]]
    assert inbox.changes_since(known).expunged == made[:2]
    trash = await store.open("Trash")
    assert uids(trash) == list(moved.target)
    assert flags(trash)[moved.target[0]] == SEEN
    assert await trash.content(moved.target[1]) == b"N: 1\r\n\r\n"
    with pytest.raises(NoSuchMailbox):
        await inbox.move_to([made[2]], "Nowhere")


async def test_cache_belongs_to_a_message(store: MailStore) -> None:
    one, two = await fill(store, 2)
    inbox = await store.open("INBOX")
    inbox.put_cached(one, "envelope", b"e1")
    inbox.put_cached(one, "structure", b"s1")
    assert inbox.cached(one, "envelope") == b"e1"
    assert inbox.cached(one, "structure") == b"s1"
    assert inbox.cached(two, "envelope") is None
    await inbox.store_flags([one], "add", DELETED)
    await inbox.expunge()
    assert inbox.cached(one, "envelope") is None


async def test_status(store: MailStore) -> None:
    made = await fill(store, 3)
    inbox = await store.open("INBOX")
    await inbox.store_flags(made[:1], "add", SEEN | DELETED)
    status = await store.status("INBOX")
    assert (status.messages, status.unseen, status.deleted) == (3, 2, 1)
    assert status.size == sum(entry.size for entry in inbox.entries())
    assert status.uid_next == inbox.uid_next
    assert status.uid_validity == inbox.uid_validity
    assert status.highest_modseq == inbox.highest_modseq
    assert status.mailbox_id == inbox.mailbox_id != ""
    with pytest.raises(NoSuchMailbox):
        await store.status("Nowhere")


async def test_create_delete_and_children(store: MailStore) -> None:
    await store.create("Projects/Überraschung/deep", "")
    await store.create("Later", "\\Flagged")
    listed = {info.name: info for info in await store.list_mailboxes()}
    assert listed["Projects"].has_children
    assert listed["Projects/Überraschung/deep"].is_selectable
    assert listed["Later"].special_use == "\\Flagged"
    with pytest.raises(MailboxExists):
        await store.create("Projects")
    (await store.open("Projects/Überraschung/deep")).close()
    await store.delete("Projects")
    listed = {info.name: info for info in await store.list_mailboxes()}
    assert not listed["Projects"].is_selectable
    assert listed["Projects"].has_children
    await store.delete("Projects/Überraschung/deep")
    await store.delete("Projects/Überraschung")
    assert "Projects" not in {info.name for info in await store.list_mailboxes()}
    for name in ("Projects", "never was"):
        with pytest.raises(NoSuchMailbox):
            await store.delete(name)
    with pytest.raises(MailboxNameInvalid):
        await store.delete("inbox")


async def test_created_again_is_another_mailbox(store: MailStore) -> None:
    await store.create("Again")
    await fill(store, 2, "Again")
    old = await store.open("Again")
    await store.delete("Again")
    with pytest.raises(NoSuchMailbox):
        await old.refresh()
    await store.create("Again")
    new = await store.open("Again")
    assert list(new.entries()) == []
    assert new.uid_validity > old.uid_validity
    assert new.mailbox_id != old.mailbox_id


BAD_NAMES = [
    "",
    "/x",
    "a//b",
    "../x",
    "a/../b",
    ".",
    "a/.",
    "nul\0",
    "new\nline",
    "x" * 300,
    "/".join("d" * 30),
    "per%cent",
    "st*r",
    " x",
]


@pytest.mark.parametrize("name", BAD_NAMES)
async def test_names_that_no_store_keeps(store: MailStore, name: str) -> None:
    with pytest.raises(MailboxNameInvalid):
        await store.create(name)
    with pytest.raises(NoSuchMailbox):
        await store.open(name)


@pytest.mark.parametrize(
    "name", ["with.dot", "tilde~&co", "日本語/台北", "a b", "&Jjo-", "x,=y", "INBOX/sub", ".hidden"]
)
async def test_names_survive(store: MailStore, name: str) -> None:
    await store.create(name)
    assert name in {info.name for info in await store.list_mailboxes()}
    mailbox = await store.open(name)
    assert mailbox.name == name


async def test_rename_takes_children_along(store: MailStore) -> None:
    await store.create("a/b")
    made = await fill(store, 2, "a/b")
    before = await store.status("a/b")
    await store.rename("a", "x/y")
    names = {info.name for info in await store.list_mailboxes()}
    assert {"x", "x/y", "x/y/b"} <= names
    assert not {"a", "a/b"} & names
    mailbox = await store.open("x/y/b")
    assert uids(mailbox) == list(made)
    assert (mailbox.uid_validity, mailbox.mailbox_id) == (before.uid_validity, before.mailbox_id)
    with pytest.raises(MailboxExists):
        await store.rename("x", "Sent")
    with pytest.raises(NoSuchMailbox):
        await store.rename("a", "b")
    with pytest.raises(MailboxNameInvalid):
        await store.rename("x", "../b")


async def test_rename_inbox_moves_its_messages(store: MailStore) -> None:
    await fill(store, 2)
    await store.rename("INBOX", "Old mail")
    assert (await store.status("INBOX")).messages == 0
    assert (await store.status("Old mail")).messages == 2


async def test_subscriptions_outlive_mailboxes(store: MailStore) -> None:
    await store.create("News")
    await store.set_subscribed("News", True)
    await store.set_subscribed("Junk", False)
    await store.delete("News")
    listed = {info.name: info for info in await store.list_mailboxes()}
    assert (listed["News"].is_subscribed, listed["News"].is_selectable) == (True, False)
    assert not listed["Junk"].is_subscribed
    await store.set_subscribed("News", False)
    assert "News" not in {info.name for info in await store.list_mailboxes()}


async def test_second_opening_finds_everything(stores: MailStores, store: MailStore, tmp_path: Path) -> None:
    made = await fill(store, 2)
    inbox = await store.open("INBOX")
    await inbox.store_flags([made[0]], "add", frozenset({"\\Seen", "kept"}))
    expected, validity, modseq = list(inbox.entries()), inbox.uid_validity, inbox.highest_modseq
    inbox.close()
    store.close()
    again = await (await stores.open_store(str(tmp_path / "home"))).open("INBOX")
    assert (list(again.entries()), again.uid_validity, again.highest_modseq) == (expected, validity, modseq)


async def test_waiting_ends_with_a_change(store: MailStore) -> None:
    inbox = await store.open("INBOX")
    assert not await inbox.wait_for_change(0.01)
    waiting = asyncio.create_task(inbox.wait_for_change(5))
    await asyncio.sleep(0)
    assert not waiting.done()
    await fill(store, 1)
    assert await asyncio.wait_for(waiting, 1)
    assert await inbox.wait_for_change(5), "what changed before the wait counts as well"
    await inbox.refresh()
    assert not await inbox.wait_for_change(0.01)


async def test_two_sessions_at_once(store: MailStore) -> None:
    made = await fill(store, 30)
    sessions = [await store.open("INBOX") for _ in range(3)]
    keywords = itertools.cycle(["red", "green", "\\Flagged"])

    async def work(mailbox: Mailbox, mark: str) -> None:
        for uid in made:
            await mailbox.store_flags([uid], "add", frozenset({mark}))
            await mailbox.refresh()

    await asyncio.gather(*(work(mailbox, next(keywords)) for mailbox in sessions))
    for mailbox in sessions:
        await mailbox.refresh()
        assert set(flags(mailbox).values()) == {frozenset({"red", "green", "\\Flagged"})}
