"""One account as one process holds it: its index, its opened folders, and what to do when the index is lost.

Shared by all sessions of the account in this process, closed with the last of them.
"""

from __future__ import annotations

import contextlib
import os
from collections import OrderedDict
from collections.abc import Iterator

import apsw

from pillarbox.backends.mailstore import names
from pillarbox.backends.mailstore.maildir import folders, index, subscriptions
from pillarbox.backends.mailstore.maildir.folder import Folder, adopt
from pillarbox.backends.mailstore.maildir.watch import Watches
from pillarbox.ports.clock import Clock
from pillarbox.ports.mailstore import MailboxNameInvalid, NoSuchMailbox, OverQuota

_KEPT_FOLDERS = 32
"""Folders kept in memory after their last session; more are kept while sessions have them open."""


class Account:
    """Of a root that is not `is_incomplete`."""

    def __init__(self, root: str, clock: Clock, host: str, watches: Watches) -> None:
        self.root = root
        self.clock = clock
        self.host = host
        self.watches = watches
        self.users = 0
        self.index = index.Index(root, clock)
        self._folders: OrderedDict[str, Folder] = OrderedDict()

    def path_of(self, directory: str) -> bytes:
        return os.fsencode(os.path.join(self.root, directory) if directory else self.root)

    async def folder(self, name: str) -> Folder:
        """Refreshed. Raises NoSuchMailbox."""
        name, directory = self.locate(name)
        if not self.index.is_current():
            self.index.reopen()
            self._folders.clear()
        held = self._folders.get(directory)
        if held is None or not self._is_alive(held):
            held = await self._load(name, directory)
        held.name = name
        self._folders[directory] = held
        self._folders.move_to_end(directory)
        while len(self._folders) > _KEPT_FOLDERS:
            self._folders.popitem(last=False)
        await held.refresh()
        return held

    def _is_alive(self, folder: Folder) -> bool:
        found = self.index.row("SELECT mailbox_id FROM folders WHERE id=?", (folder.id,))
        return found == (folder.mailbox_id,)

    async def _load(self, name: str, directory: str) -> Folder:
        found = self.index.row("SELECT id FROM folders WHERE directory=?", (directory,))
        if found is None:
            async with self.index.writing():
                identity = adopt(self.index, directory, self.clock.now())
        else:
            identity = found[0]
        return self._make_folder(identity, name, directory)

    def _make_folder(self, identity: int, name: str, directory: str) -> Folder:
        return Folder(self.index, identity, name, self.path_of(directory))

    def locate(self, name: str) -> tuple[str, str]:
        """(canonical name, directory). Raises NoSuchMailbox."""
        try:
            name = names.canonical(name)
            directory = folders.locate(self.root, name)
        except MailboxNameInvalid as error:
            raise NoSuchMailbox(name) from error
        if directory is None:
            raise NoSuchMailbox(name)
        return name, directory

    async def forget(self, directory: str) -> None:
        """The folder was deleted: sessions that have it open find out at their next refresh."""
        self._folders.pop(directory, None)
        async with self.index.writing():
            found = self.index.row("SELECT id FROM folders WHERE directory=?", (directory,))
            for table in ("messages", "expunged", "cache") if found else ():
                self.index.run(f"DELETE FROM {table} WHERE folder=?", found or ())
            self.index.run("DELETE FROM folders WHERE directory=?", (directory,))

    async def moved(self, directories: dict[str, str]) -> None:
        """Folders were renamed: old → new directory."""
        async with self.index.writing():
            for old, new in directories.items():
                self.index.run("DELETE FROM folders WHERE directory=?", (new,))
                self.index.run("UPDATE folders SET directory=? WHERE directory=?", (new, old))
        for old, new in directories.items():
            if (held := self._folders.pop(old, None)) is not None:
                held.path = self.path_of(new)
                self._folders[new] = held

    @contextlib.contextmanager
    def mending(self, name: str) -> Iterator[None]:
        """Index trouble inside costs the sessions of this account their mailboxes (NoSuchMailbox: open again), never more."""
        try:
            yield
        except index.DAMAGED as error:
            self.index.rebuild()
            self._folders.clear()
            raise NoSuchMailbox(name) from error
        except apsw.FullError as error:
            raise OverQuota("the disk is full") from error
        except (apsw.IOError, apsw.CantOpenError) as error:
            self.index.reopen()
            self._folders.clear()
            raise NoSuchMailbox(name) from error

    def close(self) -> None:
        self._folders.clear()
        self.index.close()


def is_incomplete(root: str) -> bool:
    """No Maildir, or one that Pillarbox has never opened."""
    return not os.path.exists(os.path.join(root, subscriptions.FILE)) or not folders.is_maildir(root)


def complete(root: str) -> None:
    """Make what is missing; waits for the disk, so call it in a thread. Raises OSError."""
    if not folders.is_maildir(root):
        folders.make(root, is_root=True)
        folders.sync_directory(os.path.dirname(root) or ".")
    for grave in folders.forgotten_graves(root):
        folders.clear(grave)
    if not os.path.exists(os.path.join(root, subscriptions.FILE)):
        _make_usual(root)


def _make_usual(root: str) -> None:
    """The mailboxes of a new store, and all there are already, subscribed."""
    for name in names.SPECIAL_USE:
        if folders.locate(root, name) is None:
            folders.make(os.path.join(root, folders.directory_of(name)), is_root=False)
    subscriptions.write(root, set(folders.all_folders(root)))
    folders.sync_directory(root)
