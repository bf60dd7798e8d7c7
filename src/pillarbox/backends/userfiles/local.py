"""Delivery into Maildirs as the process's own user: the last step of the fast lane, so counted in microseconds.

A delivery is open (tmp, exclusive), writev, close, rename (to new), relative to directory descriptors that are kept for the Maildirs
written lately. One stat per delivery tells whether the Maildir is still the one they were opened for. Nothing is synced here: `sync`
makes all deliveries before it durable with one syncfs per file system, in a thread, shared by those who ask meanwhile.

The file name is made of the time the message was received, `unique` and the host only, so that a repeat after a crash makes the same
name again (or finds it, when a reader has moved it to cur). No symbolic link is followed in the Maildir's own last component, in tmp
or in new. As cr.yp.to/proto/maildir.html, with Maildir++'s `,S=` and Dovecot's `,W=` sizes.

Files of another user than ours, quotas and tags: `maildir.py`, by the root helper.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from collections import OrderedDict
from collections.abc import Iterator, Sequence

from pillarbox.backends.userfiles.names import Count, prefix_of
from pillarbox.ports.userfiles import DeliveryFailure, MaildirDelivery
from pillarbox.system.durable import Disk, GroupSync, OsDisk, WorkThread

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
_IOV_MAX = 1024
_RETRY_WORDS = {errno.ENOSPC: "disk_full", errno.EDQUOT: "quota"}
_TOO_MANY_OPEN = (errno.EMFILE, errno.ENFILE)


class _Maildir:
    """Descriptors of tmp and new, and which `new` it is."""

    __slots__ = ("cur_path", "device", "inode", "new", "new_path", "tmp")

    def __init__(self, directory: str) -> None:
        """Raises OSError; nothing stays open then."""
        with contextlib.ExitStack() as opened:
            top = os.open(directory, _DIRECTORY)
            opened.callback(os.close, top)
            self.tmp = os.open("tmp", _DIRECTORY, dir_fd=top)
            opened.callback(os.close, self.tmp)
            self.new = os.open("new", _DIRECTORY, dir_fd=top)
            status = os.fstat(self.new)
            opened.pop_all()
            os.close(top)
        self.device, self.inode = status.st_dev, status.st_ino
        self.new_path = directory + "/new"
        self.cur_path = directory + "/cur"

    def is_current(self) -> bool:
        try:
            status = os.stat(self.new_path)
        except OSError:
            return False
        return status.st_ino == self.inode and status.st_dev == self.device

    def close(self) -> None:
        os.close(self.tmp)
        os.close(self.new)


class LocalUserFiles:
    """One per process; deliveries on the loop, syncs in `thread`."""

    def __init__(
        self, host: str, thread: WorkThread, *, disk: Disk | None = None, open_maildirs: int = 256
    ) -> None:
        """`host` ends file names. `open_maildirs`: Maildirs whose two descriptors are kept."""
        self._host = host.replace("/", "\\057").replace(":", "\\072")
        self._disk = disk or OsDisk()
        self._limit = open_maildirs
        self._open: OrderedDict[str, _Maildir] = OrderedDict()
        self._devices: dict[int, int] = {}
        self._delivered: dict[int, int] = {}
        self._synced: dict[int, int] = {}
        self._group = GroupSync(self._sync_all, thread)

    def deliver_maildir(self, delivery: MaildirDelivery) -> str:
        """As the port says. `unique` beyond letters, digits and `_=+@.-` is replaced by its digest."""
        chunks = delivery.chunks if isinstance(delivery.chunks, list | tuple) else list(delivery.chunks)
        prefix, name = self._name(delivery, chunks)
        for attempt in (1, 2):
            try:
                maildir = self._maildir(delivery)
                if delivery.is_repeat and (found := _find(maildir, prefix)):
                    return found
                _write(maildir, name, chunks, delivery.mode)
            except OSError as error:
                if attempt == 1 and self._may_mend(error, delivery.directory):
                    continue
                raise _failure(error, delivery.directory) from error
            self._delivered[maildir.device] += 1
            return f"{maildir.new_path}/{name}"
        raise AssertionError("the second attempt returns or raises")

    async def deliver_large_maildir(self, delivery: MaildirDelivery) -> str:
        prefix = prefix_of(delivery.unique, delivery.received_at)
        try:
            maildir = self._maildir(delivery)
            if delivery.is_repeat and (found := _find(maildir, prefix)):
                return found
            name = await asyncio.to_thread(self._write_large, delivery, prefix)
        except OSError as error:
            raise _failure(error, delivery.directory) from error
        self._delivered[maildir.device] += 1
        return f"{maildir.new_path}/{name}"

    def _write_large(self, delivery: MaildirDelivery, prefix: str) -> str:
        """In a thread, by descriptors of its own. The file's name; it tells sizes, so it is made last."""
        maildir = _Maildir(delivery.directory)
        try:
            count = Count()
            with _temporary(maildir, f"{prefix}{self._host}", delivery.mode) as descriptor:
                for chunk in delivery.chunks:
                    count.add(chunk)
                    _write_all(descriptor, chunk)
                name = count.name(f"{prefix}{self._host}")
                os.rename(f"{prefix}{self._host}", name, src_dir_fd=maildir.tmp, dst_dir_fd=maildir.new)
        finally:
            maildir.close()
        return name

    def _name(self, delivery: MaildirDelivery, chunks: Sequence[bytes]) -> tuple[str, str]:
        """(what a repeat looks for, the file name)."""
        prefix = prefix_of(delivery.unique, delivery.received_at)
        count = Count()
        count.add(*chunks)
        return prefix, count.name(f"{prefix}{self._host}")

    def _maildir(self, delivery: MaildirDelivery) -> _Maildir:
        directory = delivery.directory
        held = self._open.get(directory)
        if held is not None:
            if held.is_current():
                self._open.move_to_end(directory)
                return held
            self._forget(directory)
        try:
            held = _Maildir(directory)
        except FileNotFoundError:
            if not delivery.create:
                raise
            _make(directory, delivery.directory_mode)
            held = _Maildir(directory)
        self._keep(directory, held)
        return held

    def _keep(self, directory: str, maildir: _Maildir) -> None:
        self._open[directory] = maildir
        if len(self._open) > self._limit:
            self._open.popitem(last=False)[1].close()
        if maildir.device not in self._devices:
            self._devices[maildir.device] = os.dup(maildir.new)
            self._delivered[maildir.device] = 0

    def _forget(self, directory: str) -> None:
        if (held := self._open.pop(directory, None)) is not None:
            held.close()

    def _may_mend(self, error: OSError, directory: str) -> bool:
        """Whether a second try has a chance: after a Maildir went in the middle, or with descriptors given back."""
        if error.errno in _TOO_MANY_OPEN and self._open:
            self.close()
            return True
        if error.errno == errno.ENOENT and directory in self._open:
            self._forget(directory)
            return True
        return False

    async def sync(self) -> None:
        """Raises DeliveryFailure when the disk refused: then nothing since the last sync counts as delivered."""
        try:
            await self._group.wait()
        except OSError as error:
            raise _failure(error, "sync") from error

    def _sync_all(self) -> None:
        """In the thread. File systems without a delivery since their last sync are left alone."""
        for device, count in self._delivered.copy().items():
            if self._synced.get(device) != count:
                self._disk.syncfs(self._devices[device])
                self._synced[device] = count

    def close(self) -> None:
        """Give back the Maildirs' descriptors; deliveries open them again."""
        while self._open:
            self._open.popitem()[1].close()


@contextlib.contextmanager
def _temporary(maildir: _Maildir, name: str, mode: int) -> Iterator[int]:
    """A fresh file in tmp to write to; removed when writing fails."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(
            name, dir_fd=maildir.tmp
        )  # left by a crash: the message is delivered by one process at a time
    descriptor = os.open(name, _CREATE, mode, dir_fd=maildir.tmp)
    try:
        try:
            if mode & 0o077:
                os.fchmod(descriptor, mode)  # whatever the umask
            yield descriptor
        finally:
            os.close(descriptor)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=maildir.tmp)
        raise


def _write(maildir: _Maildir, name: str, chunks: Sequence[bytes], mode: int) -> None:
    tmp = maildir.tmp
    try:
        descriptor = os.open(name, _CREATE, mode, dir_fd=tmp)
    except FileExistsError:  # left by a crash: the message is delivered by one process at a time
        os.unlink(name, dir_fd=tmp)
        descriptor = os.open(name, _CREATE, mode, dir_fd=tmp)
    try:
        try:
            if mode & 0o077:
                os.fchmod(descriptor, mode)  # whatever the umask
            if os.writev(descriptor, chunks[:_IOV_MAX]) != sum(map(len, chunks)):
                _rewrite(descriptor, chunks)
        finally:
            os.close(descriptor)
        os.rename(name, name, src_dir_fd=tmp, dst_dir_fd=maildir.new)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=tmp)
        raise


def _rewrite(descriptor: int, chunks: Sequence[bytes]) -> None:
    """The long way, for many chunks and for writes that came up short (which tell their error when tried again)."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    for chunk in chunks:
        _write_all(descriptor, chunk)


def _write_all(descriptor: int, chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _find(maildir: _Maildir, prefix: str) -> str | None:
    for path in (maildir.new_path, maildir.cur_path):
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(path):
                if name.startswith(prefix):
                    return f"{path}/{name}"
    return None


def _make(directory: str, mode: int) -> None:
    """The Maildir with its parents, or what is missing of it."""
    parent = os.path.dirname(directory)
    if parent and not os.path.isdir(parent):
        os.makedirs(parent, mode, exist_ok=True)
    for path in (directory, f"{directory}/tmp", f"{directory}/new", f"{directory}/cur"):
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, mode)


def _failure(error: OSError, directory: str) -> DeliveryFailure:
    return DeliveryFailure(
        f"{directory}: {error.strerror or error}", error=_RETRY_WORDS.get(error.errno or 0, "")
    )
