"""What every back end of user files keeps, and what the local one promises about Maildirs."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pillarbox.backends.userfiles import local
from pillarbox.backends.userfiles.local import LocalUserFiles
from pillarbox.backends.userfiles.memory import MemoryUserFiles
from pillarbox.ports.userfiles import DeliveryFailure, MaildirDelivery, UserFiles
from pillarbox.system.durable import OsDisk, WorkThread

CHUNKS = (b"Subject: x\n", b"\n", b"body\n")
WHOLE = b"".join(CHUNKS)


class CountingDisk(OsDisk):
    def __init__(self) -> None:
        self.syncs = 0
        self.failure: OSError | None = None

    def syncfs(self, fd: int) -> None:
        os.fstat(fd)
        self.syncs += 1
        if self.failure:
            raise self.failure


@pytest.fixture(scope="module")
def thread() -> Iterator[WorkThread]:
    thread = WorkThread("test sync")
    yield thread
    thread.stop()


@pytest.fixture
def disk() -> CountingDisk:
    return CountingDisk()


@pytest.fixture
def files(thread: WorkThread, disk: CountingDisk) -> Iterator[LocalUserFiles]:
    files = LocalUserFiles("mx.example", thread, disk=disk, open_maildirs=2)
    yield files
    files.close()


@pytest.fixture(params=["memory", "local"])
def any_files(request: pytest.FixtureRequest, files: LocalUserFiles) -> UserFiles:
    return MemoryUserFiles() if request.param == "memory" else files


def delivery(directory: Path, unique: str = "id1-a", **more: object) -> MaildirDelivery:
    fields = {"directory": str(directory), "unique": unique, "chunks": CHUNKS, "received_at": 1e9, **more}
    return MaildirDelivery(**fields)  # type: ignore[arg-type]


def names(directory: Path) -> dict[str, list[str]]:
    return {sub: sorted(os.listdir(directory / sub)) for sub in ("tmp", "new", "cur")}


async def test_any_delivers_and_a_repeat_changes_nothing(any_files: UserFiles, tmp_path: Path) -> None:
    path = any_files.deliver_maildir(delivery(tmp_path / "m"))
    assert path.startswith(str(tmp_path / "m" / "new"))
    assert any_files.deliver_maildir(delivery(tmp_path / "m", is_repeat=True)) == path
    assert any_files.deliver_maildir(delivery(tmp_path / "m", "id2-a", is_repeat=True)) != path
    await any_files.sync()


def test_file_name_and_content(files: LocalUserFiles, tmp_path: Path) -> None:
    path = files.deliver_maildir(delivery(tmp_path / "deep" / "m", chunks=iter(CHUNKS)))
    assert Path(path).read_bytes() == WHOLE
    assert os.path.basename(path) == "1000000000.id1-a.mx.example,S=17,W=20"
    assert names(tmp_path / "deep" / "m") == {"tmp": [], "new": [os.path.basename(path)], "cur": []}
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert os.stat(tmp_path / "deep" / "m").st_mode & 0o777 == 0o700


async def test_large_delivery_ends_as_a_small_one_does(
    files: LocalUserFiles, tmp_path: Path, disk: CountingDisk
) -> None:
    path = await files.deliver_large_maildir(delivery(tmp_path / "m", chunks=iter(CHUNKS), mode=0o640))
    assert Path(path).read_bytes() == WHOLE
    assert os.path.basename(path) == "1000000000.id1-a.mx.example,S=17,W=20"
    assert os.stat(path).st_mode & 0o777 == 0o640
    again = delivery(tmp_path / "m", chunks=iter(CHUNKS), is_repeat=True)
    assert await files.deliver_large_maildir(again) == path
    assert names(tmp_path / "m") == {"tmp": [], "new": [os.path.basename(path)], "cur": []}
    await files.sync()
    assert disk.syncs == 1


async def test_large_delivery_that_breaks_off_leaves_nothing(files: LocalUserFiles, tmp_path: Path) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"begin"
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DeliveryFailure) as caught:
        await files.deliver_large_maildir(delivery(tmp_path / "m", chunks=chunks()))
    assert caught.value.error == "disk_full"
    assert names(tmp_path / "m") == {"tmp": [], "new": [], "cur": []}


def test_mode_is_kept_whatever_the_umask(files: LocalUserFiles, tmp_path: Path) -> None:
    path = files.deliver_maildir(delivery(tmp_path / "m", mode=0o664))
    assert os.stat(path).st_mode & 0o777 == 0o664


@pytest.mark.parametrize("unique", ["../../etc/x", "a/b", "a:2,S", "", "x" * 300, "nul\0", "ü@x"])
def test_odd_unique_stays_inside_and_is_found_again(
    files: LocalUserFiles, tmp_path: Path, unique: str
) -> None:
    path = files.deliver_maildir(delivery(tmp_path / "m", unique))
    assert os.path.dirname(path) == str(tmp_path / "m" / "new")
    assert ":" not in os.path.basename(path)
    assert files.deliver_maildir(delivery(tmp_path / "m", unique, is_repeat=True)) == path


def test_many_and_empty_chunks(files: LocalUserFiles, tmp_path: Path) -> None:
    chunks = [b"x%d\n" % n for n in range(3000)] + [b""]
    path = files.deliver_maildir(delivery(tmp_path / "m", chunks=chunks))
    assert Path(path).read_bytes() == b"".join(chunks)
    empty = files.deliver_maildir(delivery(tmp_path / "m", "id2", chunks=()))
    assert Path(empty).read_bytes() == b""


def test_short_write_is_finished(
    files: LocalUserFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.writev
    monkeypatch.setattr(local.os, "writev", lambda fd, chunks: real(fd, [chunks[0][:3]]))
    assert Path(files.deliver_maildir(delivery(tmp_path / "m"))).read_bytes() == WHOLE


def test_carriage_returns_leave_the_crlf_size_open(files: LocalUserFiles, tmp_path: Path) -> None:
    path = files.deliver_maildir(delivery(tmp_path / "m", chunks=(b"a\r\n",)))
    assert path.endswith(",S=3")


def test_repeat_finds_what_a_reader_moved(files: LocalUserFiles, tmp_path: Path) -> None:
    path = files.deliver_maildir(delivery(tmp_path / "m"))
    moved = f"{tmp_path}/m/cur/{os.path.basename(path)}:2,S"
    os.rename(path, moved)
    assert files.deliver_maildir(delivery(tmp_path / "m", is_repeat=True)) == moved
    assert names(tmp_path / "m")["new"] == []


def test_left_over_in_tmp_is_replaced(files: LocalUserFiles, tmp_path: Path) -> None:
    name = os.path.basename(files.deliver_maildir(delivery(tmp_path / "m")))
    os.unlink(tmp_path / "m" / "new" / name)
    (tmp_path / "m" / "tmp" / name).write_bytes(b"half")
    assert Path(files.deliver_maildir(delivery(tmp_path / "m", is_repeat=True))).read_bytes() == WHOLE
    assert names(tmp_path / "m")["tmp"] == []


def test_deleted_and_replaced_maildir(files: LocalUserFiles, tmp_path: Path) -> None:
    files.deliver_maildir(delivery(tmp_path / "m"))
    shutil.rmtree(tmp_path / "m")
    assert os.path.exists(files.deliver_maildir(delivery(tmp_path / "m", "id2")))
    os.rename(tmp_path / "m", tmp_path / "old")
    files.deliver_maildir(delivery(tmp_path / "m", "id3"))
    assert len(names(tmp_path / "m")["new"]) == len(names(tmp_path / "old")["new"]) == 1
    shutil.rmtree(tmp_path / "m" / "tmp")
    assert os.path.exists(files.deliver_maildir(delivery(tmp_path / "m", "id4")))


def test_not_created_when_not_wanted(files: LocalUserFiles, tmp_path: Path) -> None:
    with pytest.raises(DeliveryFailure) as caught:
        files.deliver_maildir(delivery(tmp_path / "m", create=False))
    assert not caught.value.is_permanent
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("link", ["m", "m/new", "m/tmp"])
def test_symbolic_links_are_not_followed(files: LocalUserFiles, tmp_path: Path, link: str) -> None:
    (tmp_path / "else").mkdir()
    for sub in ("tmp", "new", "cur"):
        (tmp_path / "else" / sub).mkdir()
    if link != "m":
        (tmp_path / "m").mkdir()
        os.symlink(tmp_path / "else" / "new", tmp_path / link)
    else:
        os.symlink(tmp_path / "else", tmp_path / link)
    with pytest.raises(DeliveryFailure):
        files.deliver_maildir(delivery(tmp_path / "m"))
    assert names(tmp_path / "else") == {"tmp": [], "new": [], "cur": []}


def test_descriptors_are_bounded(files: LocalUserFiles, tmp_path: Path) -> None:
    files.deliver_maildir(delivery(tmp_path / "first"))
    files.deliver_maildir(delivery(tmp_path / "second"))
    before = len(os.listdir("/proc/self/fd"))
    for number in range(20):
        files.deliver_maildir(delivery(tmp_path / f"m{number}"))
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("code", "word"), [(errno.ENOSPC, "disk_full"), (errno.EDQUOT, "quota"), (errno.EIO, "")]
)
def test_trouble_while_writing_leaves_nothing(
    files: LocalUserFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, word: str
) -> None:
    def fail(descriptor: int, chunks: object) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(local.os, "writev", fail)
    with pytest.raises(DeliveryFailure) as caught:
        files.deliver_maildir(delivery(tmp_path / "m"))
    assert (caught.value.error, caught.value.is_permanent) == (word, False)
    assert names(tmp_path / "m") == {"tmp": [], "new": [], "cur": []}
    monkeypatch.undo()
    assert os.path.exists(files.deliver_maildir(delivery(tmp_path / "m")))


def test_no_descriptor_left_gives_the_kept_ones_back(
    files: LocalUserFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.deliver_maildir(delivery(tmp_path / "first"))
    real, refusals = os.open, [OSError(errno.EMFILE, "Too many open files")]

    def open_later(*arguments: object, **more: object) -> int:
        if refusals:
            raise refusals.pop()
        return real(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(local.os, "open", open_later)
    assert os.path.exists(files.deliver_maildir(delivery(tmp_path / "second")))
    refusals += [OSError(errno.EMFILE, "Too many open files")] * 2
    with pytest.raises(DeliveryFailure):
        files.deliver_maildir(delivery(tmp_path / "third"))


async def test_sync_only_what_was_delivered(
    files: LocalUserFiles, disk: CountingDisk, tmp_path: Path
) -> None:
    await files.sync()
    assert disk.syncs == 0
    for number in range(5):
        files.deliver_maildir(delivery(tmp_path / f"m{number}"))
    await files.sync()
    await files.sync()
    assert disk.syncs == 1
    disk.failure = OSError(errno.EIO, "Input/output error")
    files.deliver_maildir(delivery(tmp_path / "m"))
    with pytest.raises(DeliveryFailure):
        await files.sync()
