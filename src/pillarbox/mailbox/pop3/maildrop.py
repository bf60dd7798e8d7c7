"""The maildrop of one session: INBOX as it was at login, numbered from 1 (RFC 1939 §4).

Mail that comes later waits for the next session; messages that another program removed meanwhile keep their number and cannot be had.
Deletions are marks here until `update` carries them out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pillarbox.ports.mailstore import Entry, Mailbox, MailStore

_SEEN = frozenset({"\\Seen"})
_DELETED = frozenset({"\\Deleted"})


class Maildrop:
    """Made by `open_maildrop`."""

    def __init__(self, store: MailStore, inbox: Mailbox, unlock: Callable[[], None]) -> None:
        self._store = store
        self._inbox = inbox
        self._unlock = unlock
        self._entries = tuple(inbox.entries())
        self._marked: set[int] = set()
        self._retrieved: set[int] = set()

    def present(self) -> Iterator[tuple[int, Entry]]:
        """(number, entry) of all that are not marked."""
        return (
            (number, entry) for number, entry in enumerate(self._entries, 1) if entry.uid not in self._marked
        )

    def get(self, number: int) -> Entry | None:
        """None: there is no such message, or it is marked."""
        if not 1 <= number <= len(self._entries):
            return None
        entry = self._entries[number - 1]
        return None if entry.uid in self._marked else entry

    def totals(self) -> tuple[int, int]:
        """STAT: messages and octets, without those marked."""
        sizes = [entry.size for _, entry in self.present()]
        return len(sizes), sum(sizes)

    def summary(self) -> str:
        messages, octets = self.totals()
        return f"{messages} messages, {octets} octets"

    def unique_id(self, entry: Entry) -> str:
        """UIDL: the same as long as the message is in this mailbox, never used again (RFC 1939 §7)."""
        return f"{self._inbox.uid_validity:08x}{entry.uid:08x}"

    async def content(self, entry: Entry, *, is_whole: bool = True) -> bytes | None:
        """`is_whole`: the client gets all of it, so it counts as seen."""
        content = await self._inbox.content(entry.uid)
        if is_whole and content is not None:
            self._retrieved.add(entry.uid)
        return content

    def mark(self, entry: Entry) -> None:
        self._marked.add(entry.uid)

    def unmark_all(self) -> None:
        self._marked.clear()

    async def update(self) -> bool:
        """The UPDATE state. False when a marked message is still there."""
        if seen := self._retrieved - self._marked:
            await self._inbox.store_flags(seen, "add", _SEEN)
        if self._marked:
            await self._inbox.store_flags(self._marked, "add", _DELETED)
            await self._inbox.expunge(self._marked)
        return self._marked.isdisjoint(entry.uid for entry in self._inbox.entries())

    def close(self) -> None:
        self._inbox.close()
        self._store.close()
        self._unlock()
