"""A Maildir that other programs and other workers use as well."""

from __future__ import annotations

import asyncio
import errno
import multiprocessing
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import apsw
import pytest

from pillarbox.backends.mailstore.maildir import folder as folder_module
from pillarbox.backends.mailstore.maildir import index, scan
from pillarbox.backends.mailstore.maildir import mailbox as mailbox_module
from pillarbox.backends.mailstore.maildir.lock import FileLocks
from pillarbox.backends.mailstore.maildir.store import MaildirStores
from pillarbox.ports.mailstore import Mailbox, MailStore, NewMessage, NoSuchMailbox, OverQuota
from pillarbox.system.clock import SystemClock


@pytest.fixture
async def stores() -> AsyncIterator[MaildirStores]:
    stores = MaildirStores(SystemClock(), host="test")
    yield stores
    stores.close()


@pytest.fixture
async def store(stores: MaildirStores, tmp_path: Path) -> AsyncIterator[MailStore]:
    store = await stores.open_store(str(tmp_path))
    yield store
    store.close()


@pytest.fixture
async def inbox(store: MailStore) -> AsyncIterator[Mailbox]:
    inbox = await store.open("INBOX")
    yield inbox
    inbox.close()


def deliver(root: Path, name: str, data: bytes = b"S: x\n\nbody\n", where: str = "new") -> Path:
    path = root / where / name
    path.write_bytes(data)
    return path


def settle(root: Path) -> None:
    """As if nothing had happened in the directories for ten seconds."""
    for directory in (root / "new", root / "cur"):
        os.utime(directory, ns=(0, time.time_ns() - 10_000_000_001))


def flags(mailbox: Mailbox) -> list[set[str]]:
    return [set(entry.flags) for entry in mailbox.entries()]


async def test_foreign_delivery_reading_marking_removal(inbox: Mailbox, tmp_path: Path) -> None:
    path = deliver(tmp_path, "1000.a.host")
    await inbox.refresh()
    (entry,) = inbox.entries()
    assert (entry.size, entry.flags) == (14, frozenset())
    assert await inbox.content(entry.uid) == b"S: x\r\n\r\nbody\r\n"
    seen = path.rename(tmp_path / "cur" / "1000.a.host:2,S")
    await inbox.refresh()
    assert flags(inbox) == [{"\\Seen"}]
    known = inbox.highest_modseq
    answered = seen.rename(tmp_path / "cur" / "1000.a.host:2,FRS")
    await inbox.refresh()
    assert flags(inbox) == [{"\\Seen", "\\Answered", "\\Flagged"}]
    assert [changed.uid for changed in inbox.changes_since(known).changed] == [entry.uid]
    answered.unlink()
    await inbox.refresh()
    assert list(inbox.entries()) == []
    assert inbox.changes_since(known).expunged == (entry.uid,)


async def test_thousands_at_once(inbox: Mailbox, tmp_path: Path) -> None:
    for number in range(1200):
        deliver(tmp_path, f"{number}.x.host", b"%d\n" % number)
    await inbox.refresh()
    assert [entry.uid for entry in inbox.entries()] == list(range(1, 1201))
    assert await inbox.content(777) == b"776\r\n"


async def test_full_disk_shows_what_is_known(
    inbox: Mailbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(tmp_path, "1000.a.host")
    await inbox.refresh()
    deliver(tmp_path, "1000.b.host")

    def fail(*arguments: object) -> None:
        raise apsw.FullError("database or disk is full")

    monkeypatch.setattr(index.Index, "run_many", fail)
    await inbox.refresh()
    assert len(inbox.entries()) == 1
    monkeypatch.undo()
    await inbox.refresh()
    assert len(inbox.entries()) == 2


async def test_each_change_is_seen_however_quick(inbox: Mailbox, tmp_path: Path) -> None:
    """Directory times stand still for a tick; changes within one must not be missed."""
    for number in range(200):
        deliver(tmp_path, f"1000.{number:03}.host")
        await inbox.refresh()
        assert len(inbox.entries()) == number + 1
    assert [entry.uid for entry in inbox.entries()] == list(range(1, 201))


async def test_idle_refresh_lists_nothing(
    inbox: Mailbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(tmp_path, "1000.a.host")
    settle(tmp_path)
    await inbox.refresh()
    monkeypatch.setattr(scan, "compare", None)
    await inbox.refresh()
    deliver(tmp_path, "1000.b.host")
    with pytest.raises(TypeError):
        await inbox.refresh()


async def test_our_flags_are_letters_for_others(inbox: Mailbox, tmp_path: Path) -> None:
    deliver(tmp_path, "1000.a.host")
    await inbox.refresh()
    await inbox.store_flags([1], "add", frozenset({"\\Seen", "\\Draft", "work", "$Junk"}))
    assert os.listdir(tmp_path / "cur") == ["1000.a.host:2,DSab"]
    assert (tmp_path / "dovecot-keywords").read_text() == "0 $Junk\n1 work\n"
    os.rename(tmp_path / "cur" / "1000.a.host:2,DSab", tmp_path / "cur" / "1000.a.host:2,PSb")
    await inbox.refresh()
    assert flags(inbox) == [{"\\Seen", "work"}]
    await inbox.store_flags([1], "remove", frozenset({"\\Seen"}))
    assert os.listdir(tmp_path / "cur") == ["1000.a.host:2,Pb"], "letters of others stay"


async def test_letters_get_their_meaning_later(inbox: Mailbox, tmp_path: Path) -> None:
    deliver(tmp_path, "1000.a.host:2,Sc", where="cur")
    await inbox.refresh()
    assert flags(inbox) == [{"\\Seen"}]
    settle(tmp_path)
    await inbox.refresh()
    (tmp_path / "dovecot-keywords").write_text("2 todo\n")
    await inbox.refresh()
    assert flags(inbox) == [{"\\Seen", "todo"}]


async def test_more_keywords_than_letters(store: MailStore, inbox: Mailbox) -> None:
    words = frozenset(f"word{number}" for number in range(40))
    await store.append("INBOX", [NewMessage(b"x", words)])
    await inbox.refresh()
    assert flags(inbox) == [set(words)]
    await inbox.store_flags([1], "remove", frozenset({"word3", "word39"}))
    copied = await inbox.copy_to([1], "Archive")
    archive = await store.open("Archive")
    assert archive.entries()[0].uid == copied.target[0]
    assert flags(archive) == flags(inbox) == [words - {"word3", "word39"}]


async def test_renamed_by_another_at_the_same_moment(
    inbox: Mailbox, store: MailStore, tmp_path: Path
) -> None:
    deliver(tmp_path, "1000.a.host")
    deliver(tmp_path, "1000.b.host")
    await inbox.refresh()
    os.rename(tmp_path / "new" / "1000.a.host", tmp_path / "cur" / "1000.a.host:2,F")
    os.unlink(tmp_path / "new" / "1000.b.host")
    result = await inbox.store_flags([1, 2], "add", frozenset({"\\Seen"}))
    assert [(entry.uid, entry.flags) for entry in result.changed] == [(1, {"\\Seen", "\\Flagged"})]
    assert result.modified == (2,)
    os.rename(tmp_path / "cur" / "1000.a.host:2,FS", tmp_path / "cur" / "1000.a.host:2,S")
    assert await inbox.content(1) == b"S: x\r\n\r\nbody\r\n"
    os.rename(tmp_path / "cur" / "1000.a.host:2,S", tmp_path / "cur" / "1000.a.host:2,RS")
    moved = await inbox.move_to([1], "Trash")
    assert moved.source == (1,)
    assert flags(await store.open("Trash")) == [{"\\Seen", "\\Answered"}]


async def test_what_is_no_message(inbox: Mailbox, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"not yours")
    os.symlink(tmp_path / "secret", tmp_path / "new" / "1000.link.host")
    (tmp_path / "new" / "1000.dir.host").mkdir()
    os.mkfifo(tmp_path / "new" / "1000.fifo.host")
    deliver(tmp_path, ".hidden")
    await inbox.refresh()
    assert list(inbox.entries()) == []


async def test_swapped_for_a_symlink_is_not_followed(inbox: Mailbox, tmp_path: Path) -> None:
    path = deliver(tmp_path, "1000.a.host")
    await inbox.refresh()
    (tmp_path / "secret").write_bytes(b"not yours")
    path.unlink()
    os.symlink(tmp_path / "secret", path)
    assert await inbox.content(1) is None


@pytest.mark.parametrize(
    ("name", "data", "content"),
    [
        ("1000.crlf.host", b"S: x\r\n\r\nbody\r\n", b"S: x\r\n\r\nbody\r\n"),
        ("1000.mixed.host", b"S: x\r\n\nbody", b"S: x\r\n\r\nbody"),
        ("1000.lie.host,S=5,W=6", b"S: x\n\nlonger\n", b"S: x\r\n\r\nlonger\r\n"),
        ("1000.worse.host,W=3", b"S: x\n\nlonger\n", b"S: x\r\n\r\nlonger\r\n"),
        ("no-number", b"x\n", b"x\r\n"),
    ],
)
async def test_files_of_others(
    inbox: Mailbox, tmp_path: Path, name: str, data: bytes, content: bytes
) -> None:
    deliver(tmp_path, name, data)
    await inbox.refresh()
    assert await inbox.content(1) == content
    assert inbox.entries()[0].size == len(content) or "worse" in name
    await inbox.refresh()
    assert inbox.entries()[0].size == len(content)


async def test_names_that_are_no_text(inbox: Mailbox, tmp_path: Path) -> None:
    os.rename(deliver(tmp_path, "a", b"x"), os.fsencode(tmp_path) + b"/new/1000.\xff\xfe.host")
    await inbox.refresh()
    assert await inbox.content(1) == b"x"
    await inbox.store_flags([1], "add", frozenset({"\\Seen"}))
    assert os.listdir(os.fsencode(tmp_path) + b"/cur") == [b"1000.\xff\xfe.host:2,S"]


async def test_one_message_under_two_names_counts_once(inbox: Mailbox, tmp_path: Path) -> None:
    path = deliver(tmp_path, "1000.a.host")
    os.link(path, tmp_path / "cur" / "1000.a.host:2,S")
    await inbox.refresh()
    await inbox.refresh()
    assert len(inbox.entries()) == 1
    path.unlink()
    await inbox.refresh()
    assert [(entry.uid, entry.flags) for entry in inbox.entries()] == [(1, {"\\Seen"})]


async def test_listing_that_misses_a_name_once_removes_nothing(
    inbox: Mailbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(tmp_path, "1000.a.host")
    await inbox.refresh()
    deliver(tmp_path, "1000.b.host")
    real, missed = scan._list, []

    def blind_once(path: bytes) -> tuple[set[bytes], set[bytes]]:
        new, cur = real(path)
        if not missed:
            missed.append(1)
            new.discard(b"1000.a.host")
        return new, cur

    monkeypatch.setattr(scan, "_list", blind_once)
    await inbox.refresh()
    assert [entry.uid for entry in inbox.entries()] == [1, 2]


async def test_maildir_of_another_program_is_taken_over(stores: MaildirStores, tmp_path: Path) -> None:
    home = tmp_path / "old"
    for folder in (".", ".Projects.2026", ".&AOk-t&AOk-", ".Sent"):
        for sub in ("tmp", "new", "cur"):
            (home / folder / sub).mkdir(parents=True)
    (home / ".no-folder").mkdir()
    for number in (3, 1, 2):
        deliver(home, f"{number}000.x.host:2,S", b"N: %d\n\n" % number, "cur")
    store = await stores.open_store(str(home))
    listed = {info.name: info for info in await store.list_mailboxes()}
    assert {"INBOX", "Projects", "Projects/2026", "été", "Sent", "Trash"} <= set(listed)
    assert "no-folder" not in listed
    assert not listed["Projects"].is_selectable
    assert listed["Sent"].special_use == "\\Sent"
    inbox = await store.open("INBOX")
    assert [await inbox.content(uid) for uid in (1, 2, 3)] == [b"N: %d\r\n\r\n" % n for n in (1, 2, 3)]
    inbox.close()
    store.close()


async def test_directories_as_others_expect_them(store: MailStore, tmp_path: Path) -> None:
    await store.create("Entwürfe/v1.2")
    assert (tmp_path / ".Entw&APw-rfe" / "cur").is_dir()
    assert (tmp_path / ".Entw&APw-rfe.v1&AC4-2" / "maildirfolder").exists()
    assert (tmp_path / "subscriptions").read_bytes().startswith(b"V\t2\n\nArchive\n")


async def damage(path: Path, how: str) -> None:
    match how:
        case "deleted":
            for file in path.glob("pillarbox.index*"):
                file.unlink()
        case "garbage":
            path.joinpath("pillarbox.index").write_bytes(b"garbage " * 4096)
            path.joinpath("pillarbox.index-wal").unlink(missing_ok=True)
        case "empty":
            path.joinpath("pillarbox.index").write_bytes(b"")
            path.joinpath("pillarbox.index-wal").unlink(missing_ok=True)
        case "newer":
            connection = apsw.Connection(str(path / "pillarbox.index"))
            connection.execute("PRAGMA user_version=99")
            connection.close()


@pytest.mark.parametrize("how", ["deleted", "garbage", "empty", "newer"])
async def test_lost_index_is_made_anew(stores: MaildirStores, tmp_path: Path, how: str) -> None:
    home = tmp_path / "home"
    store = await stores.open_store(str(home))
    await store.append("INBOX", [NewMessage(b"one", frozenset({"\\Seen"})), NewMessage(b"two")])
    before = await store.status("INBOX")
    store.close()
    await damage(home, how)
    store = await stores.open_store(str(home))
    after = await store.status("INBOX")
    inbox = await store.open("INBOX")
    assert after.uid_validity > before.uid_validity
    assert [await inbox.content(entry.uid) for entry in inbox.entries()] == [b"one", b"two"]
    assert flags(inbox) == [{"\\Seen"}, set()]
    inbox.close()
    store.close()


@pytest.mark.parametrize("how", ["deleted", "garbage"])
async def test_index_lost_under_an_open_session(store: MailStore, tmp_path: Path, how: str) -> None:
    await store.append("INBOX", [NewMessage(b"one")])
    inbox = await store.open("INBOX")
    validity = inbox.uid_validity
    index_of(store).run("PRAGMA wal_checkpoint(TRUNCATE)")
    await damage(tmp_path, how)
    index_of(store).run("PRAGMA cache_size=0")
    try:
        await inbox.refresh()
        await inbox.store_flags([1], "add", frozenset({"\\Seen"}))
    except NoSuchMailbox:
        pass
    inbox.close()
    again = await store.open("INBOX")
    assert [await again.content(entry.uid) for entry in again.entries()] == [b"one"]
    if how == "deleted":
        assert again.uid_validity > validity


def index_of(store: MailStore) -> index.Index:
    return store._account.index  # type: ignore[attr-defined, no-any-return]


async def test_first_opening_after_a_boot_jumps(
    stores: MaildirStores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = str(tmp_path / "home")
    store = await stores.open_store(home)
    await store.append("INBOX", [NewMessage(b"one")])
    before = await store.status("INBOX")
    store.close()
    monkeypatch.setattr(index, "_boot_id", lambda: "another boot")
    for _ in range(2):
        store = await stores.open_store(home)
        after = await store.status("INBOX")
        assert after.uid_next == before.uid_next + index.BOOT_JUMP
        assert after.highest_modseq == before.highest_modseq + index.BOOT_JUMP
        assert after.uid_validity == before.uid_validity
        store.close()


async def test_expunge_log_is_bounded(
    store: MailStore, inbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_module, "EXPUNGE_LOG", 3)
    made = (await store.append("INBOX", [NewMessage(b"x")] * 10)).uids
    await inbox.refresh()
    known = inbox.highest_modseq
    for uid in made[:8]:
        await inbox.store_flags([uid], "add", frozenset({"\\Deleted"}))
        await inbox.expunge()
    assert index_of(store).row("SELECT count(*) FROM expunged") == (3,)
    assert set(inbox.changes_since(known).expunged) >= set(made[:8])
    assert not set(inbox.changes_since(known).expunged) & set(made[8:])
    recent = inbox.highest_modseq
    await inbox.store_flags([made[8]], "add", frozenset({"\\Deleted"}))
    await inbox.expunge()
    assert inbox.changes_since(recent).expunged == (made[8],)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
async def test_full_disk_leaves_nothing_half_done(
    store: MailStore, inbox: Mailbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    await store.append("INBOX", [NewMessage(b"a"), NewMessage(b"b")])
    await inbox.refresh()
    calls: list[int] = []

    def failing(real: Callable[..., None]) -> Callable[..., None]:
        def call(*arguments: object, **more: object) -> None:
            calls.append(1)
            if len(calls) % 2 == 0:
                raise OSError(code, os.strerror(code))
            real(*arguments, **more)

        return call

    before = sorted(os.listdir(tmp_path / "cur"))
    monkeypatch.setattr(os, "rename", failing(os.rename))
    with pytest.raises(OverQuota):
        await store.append("INBOX", [NewMessage(b"c"), NewMessage(b"d")])
    monkeypatch.setattr(os, "link", failing(os.link))
    with pytest.raises(OverQuota):
        await inbox.copy_to([1, 2], "Archive")
    monkeypatch.undo()
    assert sorted(os.listdir(tmp_path / "cur")) == before
    assert os.listdir(tmp_path / "tmp") == os.listdir(tmp_path / ".Archive" / "cur") == []
    await inbox.refresh()
    assert len(inbox.entries()) == 2


async def test_copy_where_links_are_forbidden(
    store: MailStore, inbox: Mailbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = deliver(tmp_path, "1000.a.host")
    os.utime(path, (1e9, 1e9))
    await inbox.refresh()

    def forbidden(*arguments: object, **more: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", forbidden)
    await inbox.copy_to([1], "Archive")
    archive = await store.open("Archive")
    assert await archive.content(1) == await inbox.content(1)
    assert archive.entries()[0].internal_date == 1e9


async def test_folder_deleted_by_another_program(store: MailStore, tmp_path: Path) -> None:
    archive = await store.open("Archive")
    shutil.rmtree(tmp_path / ".Archive")
    with pytest.raises(NoSuchMailbox):
        await archive.refresh()
    assert await archive.wait_for_change(5)
    with pytest.raises(NoSuchMailbox):
        await store.append("Archive", [NewMessage(b"x")])


async def test_deleted_folders_leave_nothing(store: MailStore, tmp_path: Path) -> None:
    await store.append("Trash", [NewMessage(b"x")])
    await store.delete("Trash")
    assert not [name for name in os.listdir(tmp_path) if "Trash" in name or "deleted" in name]
    assert index_of(store).row("SELECT count(*) FROM messages") == (0,)


async def test_idle_hears_of_foreign_delivery(inbox: Mailbox, tmp_path: Path) -> None:
    await inbox.refresh()
    waiting = asyncio.create_task(inbox.wait_for_change(10))
    while inbox._account.watches._armed == {}:  # type: ignore[attr-defined]  # noqa: ASYNC110
        await asyncio.sleep(0)
    deliver(tmp_path, "1000.a.host")
    assert await asyncio.wait_for(waiting, 2)


async def test_idle_without_inotify(
    stores: MaildirStores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox_module, "_POLL", 0.02)
    deaf = MaildirStores(SystemClock(), watch_limit=0)
    store = await deaf.open_store(str(tmp_path))
    inbox = await store.open("INBOX")
    waiting = asyncio.create_task(inbox.wait_for_change(10))
    await asyncio.sleep(0)
    deliver(tmp_path, "1000.a.host")
    assert await asyncio.wait_for(waiting, 2)
    inbox.close()
    store.close()


async def test_watches_are_given_back(inbox: Mailbox) -> None:
    assert not await inbox.wait_for_change(0.05)
    watches = inbox._account.watches  # type: ignore[attr-defined]
    assert watches._armed == {}
    assert watches._listeners == {}


def test_lock_of_a_maildrop(tmp_path: Path) -> None:
    home = str(tmp_path / "new home")
    unlock = FileLocks().take(home)
    assert unlock is not None
    assert FileLocks().take(home) is None
    unlock()
    again = FileLocks().take(home)
    assert again is not None
    again()


def _work(root: str, number: int, results: multiprocessing.Queue[dict[int, bytes]]) -> None:
    """One worker process: appends, marks, expunges its own, and remembers which uid was which message."""

    async def work() -> dict[int, bytes]:
        stores = MaildirStores(SystemClock(), host="test")
        store = await stores.open_store(root)
        inbox = await store.open("INBOX")
        mine: dict[int, bytes] = {}
        for turn in range(25):
            data = b"W: %d-%d\r\n\r\n" % (number, turn)
            (uid,) = (await store.append("INBOX", [NewMessage(data)])).uids
            mine[uid] = data
            deliver(Path(root), f"1000.{number}-{turn}.host", b"F: %d-%d\n" % (number, turn))
            await inbox.refresh()
            await inbox.store_flags([uid], "add", frozenset({"\\Seen", f"kw{number}"}))
            if turn % 5 == 0:
                await inbox.store_flags([uid], "add", frozenset({"\\Deleted"}))
                assert await inbox.expunge([uid]) == (uid,)
                del mine[uid]
        store.close()
        stores.close()
        return mine

    results.put(asyncio.run(work()))


async def test_workers_and_deliveries_at_once(store: MailStore, inbox: Mailbox, tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    results: multiprocessing.Queue[dict[int, bytes]] = context.Queue()
    workers = [context.Process(target=_work, args=(str(tmp_path), n, results)) for n in range(3)]
    for worker in workers:
        worker.start()
    remembered: dict[int, bytes] = {}
    for _ in workers:
        mine = await asyncio.to_thread(results.get, True, 60)
        assert not remembered.keys() & mine.keys()
        remembered.update(mine)
    for worker in workers:
        await asyncio.to_thread(worker.join, 60)
        assert worker.exitcode == 0
    await inbox.refresh()
    found = {entry.uid: await inbox.content(entry.uid) for entry in inbox.entries()}
    assert {uid: found[uid] for uid in remembered} == remembered
    assert len(found) == 3 * 25 + 3 * 20
    assert len(set(found.values())) == len(found)
    marked = {entry.uid for entry in inbox.entries() if "\\Seen" in entry.flags}
    assert marked == set(remembered)
