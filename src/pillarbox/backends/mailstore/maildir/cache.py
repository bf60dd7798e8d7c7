"""What was once derived from messages (`envelope`, `structure`), kept in the index.

A transaction costs many times what a row does, so additions gather and are written together. Losing some is harmless: they are
derived again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import apsw

from pillarbox.backends.mailstore.maildir.index import Index

_GATHER = 64
_PUT = """INSERT OR REPLACE INTO cache SELECT ?1, ?2, ?3, ?4
    WHERE EXISTS (SELECT 1 FROM messages WHERE folder=?1 AND uid=?2)"""


class Cache:
    """Of one folder."""

    __slots__ = ("_folder", "_gathered", "_generation", "_index")

    def __init__(self, index: Index, folder: int) -> None:
        self._generation = index.generation
        self._index = index
        self._folder = folder
        self._gathered: dict[tuple[int, str], bytes] = {}

    def get(self, uid: int, kind: str) -> bytes | None:
        if (data := self._gathered.get((uid, kind))) is not None:
            return data
        if self._generation != self._index.generation:
            return None
        found = self._index.row(
            "SELECT data FROM cache WHERE folder=? AND uid=? AND kind=?", (self._folder, uid, kind)
        )
        return None if found is None else bytes(found[0])

    def put(self, uid: int, kind: str, data: bytes) -> None:
        self._gathered[uid, kind] = data
        if len(self._gathered) >= _GATHER:
            self.flush()

    def flush(self) -> None:
        """Given up when another worker writes at this moment, or the index is in trouble: others will notice."""
        if not self._gathered:
            return
        rows = [(self._folder, uid, kind, data) for (uid, kind), data in self._gathered.items()]
        self._gathered.clear()
        if self._generation != self._index.generation:
            return
        with contextlib.suppress(apsw.Error):
            self._index.write_now(_PUT, rows)

    def forget(self, gone: Sequence[tuple[int, int]]) -> None:
        """(folder, uid) of messages that are being removed, inside their transaction."""
        uids = {uid for _, uid in gone}
        for key in [key for key in self._gathered if key[0] in uids]:
            del self._gathered[key]
        self._index.run_many("DELETE FROM cache WHERE folder=? AND uid=?", gone)
