"""lmdb: a memory-mapped key-value file, read only (Exim 9.3.8). Needs the extra pillarbox[lmdb].

Without locks: the file is replaced as a whole, as the other search files are.
"""

from __future__ import annotations

import lmdb

from pillarbox.backends.lookups.driver import LookupWorld, SingleKey
from pillarbox.backends.lookups.files.kept import KeptFiles
from pillarbox.ports.lookups import LookupDefer, LookupNotOpened


class Lmdb(SingleKey):
    """Implements `ports.lookups.Lookup`."""

    def __init__(self, world: LookupWorld) -> None:
        self._files = KeptFiles(
            world.clock,
            _open,
            irregular="{source} is not a regular file (lmdb lookup)",
            purpose="for lmdb lookup",
            limit=world.settings.lookup_open_max,
        )

    def find_now(self, key: str, source: str, options: tuple[str, ...] = ()) -> str | None:
        return _get(self._files.now(source), key, source)

    async def find(self, key: str, source: str, options: tuple[str, ...] = ()) -> str | None:
        return _get(await self._files.get(source), key, source)


def make(kind: str, world: LookupWorld) -> Lmdb:
    return Lmdb(world)


def _open(descriptor: int, source: str) -> lmdb.Environment:
    try:
        return lmdb.open(source, subdir=False, readonly=True, lock=False, create=False)
    except lmdb.Error as error:
        raise LookupNotOpened(f"LMDB: Unable to open environment with {source}: {error}") from None


def _get(environment: lmdb.Environment, key: str, source: str) -> str | None:
    try:
        with environment.begin(buffers=False) as transaction:
            data = transaction.get(key.encode("utf-8", "surrogateescape"))
    except lmdb.Error as error:
        raise LookupDefer(f"LMDB: reading {source}: {error}") from None
    return None if data is None else bytes(data).decode("utf-8", "surrogateescape")
