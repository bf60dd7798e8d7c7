"""A mirror of a mailbox that a user's process has open: the port's `Mailbox`.

Every answer brings what has changed since the last, so the mirror is as of the last `refresh` or change. What was expunged before it was
opened it does not know: `changes_since` an older modseq tells of every gap between those that are there, which the port permits.

The index is the user's to write: no number in it may make the worker count without end.

Known gap: ENVELOPE and BODYSTRUCTURE are remembered as long as the mailbox is open, not in the user's index.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Sequence
from itertools import pairwise

from pillarbox.backends.mailstore.remote import requests as ask
from pillarbox.backends.mailstore.remote.line import Line
from pillarbox.ports.mailstore import Changes, Copied, Entry, FlagAction, StoreResult

_MOST_UIDS = 1 << 32
_MOST_CACHED = 32 * 1024 * 1024
"""Bytes of derivations."""


class RemoteMailbox:
    """Made by `RemoteStore.open`."""

    def __init__(self, line: Line, opened: ask.Opened) -> None:
        self._line = line
        self._box = opened.box
        self._name = opened.name
        self.mailbox_id = opened.mailbox_id
        self.uid_validity = opened.uid_validity
        self._uid_next = opened.uid_next
        self._modseq = self._known_from = opened.highest_modseq
        self._by_uid = {entry.uid: entry for entry in opened.entries}
        self._entries: Sequence[Entry] = opened.entries
        self._gone: list[tuple[int, tuple[int, ...]]] = []
        """(modseq before, uids that have gone since)."""
        self._cache: dict[tuple[int, str], bytes] = {}
        self._cached = 0

    @property
    def name(self) -> str:
        return self._name

    @property
    def uid_next(self) -> int:
        return self._uid_next

    @property
    def highest_modseq(self) -> int:
        return self._modseq

    def _take(self, view: ask.View) -> None:
        self._name, self._uid_next = view.name, view.uid_next
        if view.highest_modseq <= self._modseq:
            return  # an answer that was overtaken by another
        gone = tuple(uid for uid in view.expunged if self._by_uid.pop(uid, None) is not None)
        if gone:
            self._gone.append((view.highest_modseq, gone))
        self._by_uid.update((entry.uid, entry) for entry in view.changed)
        self._entries = tuple(self._by_uid[uid] for uid in sorted(self._by_uid))
        self._modseq = view.highest_modseq

    async def refresh(self) -> None:
        view: ask.View = await self._line.ask(ask.Refresh(self._box, self._modseq), ask.View)
        self._take(view)

    def entries(self) -> Sequence[Entry]:
        return self._entries

    def changes_since(self, modseq: int) -> Changes:
        if modseq >= self._modseq:
            return Changes((), (), self._modseq)
        changed = tuple(entry for entry in self._entries if entry.modseq > modseq)
        if modseq < self._known_from:
            return Changes(changed, (), self._modseq, self._gaps())
        later = self._gone[bisect_right(self._gone, modseq, key=lambda each: each[0]) :]
        gone = tuple(sorted({uid for _, uids in later for uid in uids}))
        return Changes(changed, gone, self._modseq)

    def _gaps(self) -> tuple[tuple[int, int], ...]:
        """Between the uids that are there, and behind the last."""
        present = [entry.uid for entry in self._entries]
        neighbours = pairwise((0, *present, min(max(self._uid_next, 1), _MOST_UIDS)))
        return tuple((before + 1, after - 1) for before, after in neighbours if before + 1 < after)

    async def content(self, uid: int) -> bytes | None:
        content: bytes | None = await self._line.ask(ask.Content(self._box, uid), bytes | None)
        return content

    def cached(self, uid: int, kind: str) -> bytes | None:
        return self._cache.get((uid, kind)) if uid in self._by_uid else None

    def put_cached(self, uid: int, kind: str, data: bytes) -> None:
        if uid not in self._by_uid:
            return
        if self._cached > _MOST_CACHED:
            self._cache.clear()
            self._cached = 0
        self._cache[uid, kind] = data
        self._cached += len(data)

    async def store_flags(
        self,
        uids: Collection[int],
        action: FlagAction,
        flags: frozenset[str],
        *,
        unchanged_since: int | None = None,
    ) -> StoreResult:
        request = ask.StoreFlags(self._box, self._modseq, tuple(uids), action, flags, unchanged_since)
        answer: tuple[StoreResult, ask.View] = await self._line.ask(request, tuple[StoreResult, ask.View])
        self._take(answer[1])
        return answer[0]

    async def expunge(self, uids: Collection[int] | None = None) -> tuple[int, ...]:
        request = ask.Expunge(self._box, self._modseq, None if uids is None else tuple(uids))
        kind = tuple[tuple[int, ...], ask.View]
        answer: tuple[tuple[int, ...], ask.View] = await self._line.ask(request, kind)
        self._take(answer[1])
        return answer[0]

    async def copy_to(self, uids: Collection[int], target: str) -> Copied:
        return await self._transfer(uids, target, is_move=False)

    async def move_to(self, uids: Collection[int], target: str) -> Copied:
        return await self._transfer(uids, target, is_move=True)

    async def _transfer(self, uids: Collection[int], target: str, *, is_move: bool) -> Copied:
        request = ask.Transfer(self._box, self._modseq, tuple(uids), target, is_move)
        answer: tuple[Copied, ask.View] = await self._line.ask(request, tuple[Copied, ask.View])
        self._take(answer[1])
        return answer[0]

    async def wait_for_change(self, timeout: float) -> bool:
        is_changed: bool = await self._line.ask(ask.Wait(self._box, timeout), bool)
        return is_changed

    def close(self) -> None:
        if not self._line.is_broken:
            self._line.tell(ask.Close(self._box))
