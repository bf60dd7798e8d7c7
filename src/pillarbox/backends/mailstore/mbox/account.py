"""An account whose INBOX is an mbox file: everything else is in its Maildir, with the index."""

from __future__ import annotations

from pillarbox.backends.mailstore import names
from pillarbox.backends.mailstore.maildir.account import Account
from pillarbox.backends.mailstore.maildir.folder import Folder
from pillarbox.backends.mailstore.maildir.watch import Watches
from pillarbox.backends.mailstore.mbox.inbox import Inbox
from pillarbox.ports.clock import Clock
from pillarbox.ports.mailplace import MBOX, MailPlace


class MboxAccount(Account):
    def __init__(self, place: MailPlace, clock: Clock, host: str, watches: Watches) -> None:
        super().__init__(place.root, clock, host, watches)
        self._place = place
        self._directory = MBOX + place.inbox
        """INBOX's name in the index, which no directory of the Maildir has."""

    def locate(self, name: str) -> tuple[str, str]:
        name, directory = super().locate(name)
        return name, directory if name != names.INBOX else self._directory

    def _make_folder(self, identity: int, name: str, directory: str) -> Folder:
        if directory == self._directory:
            return Inbox(self.index, identity, name, self._place, self.clock)
        return super()._make_folder(identity, name, directory)

    async def inbox(self) -> Inbox:
        """Refreshed."""
        folder = await self.folder(names.INBOX)
        assert isinstance(folder, Inbox)
        return folder
