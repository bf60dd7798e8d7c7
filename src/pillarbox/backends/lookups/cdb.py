"""cdb: constant databases, read by ourselves from the mapped file (Exim 9.3.1, https://cr.yp.to/cdb/cdb.txt).

The header is 256 pairs (position, slots) of hash tables; a slot is (hash, position); a record is key length, data length, key, data,
all numbers 32 bit little-endian. The map is kept until the file changes; a file replaced by renaming keeps its old map until then.
Every offset is checked, so that a damaged file is an error, never a fault.
"""

from __future__ import annotations

import mmap
import struct

from pillarbox.backends.lookups.driver import LookupWorld, SingleKey
from pillarbox.backends.lookups.files.kept import KeptFiles
from pillarbox.ports.lookups import LookupDefer, LookupNotOpened

_PAIR = struct.Struct("<II")
_HEADER = 2048


class CdbFile:
    """One mapped file. Raises LookupNotOpened when it cannot be one."""

    __slots__ = ("_map", "_size", "_source", "_tables")

    def __init__(self, descriptor: int, source: str) -> None:
        try:
            self._map = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
        except ValueError:
            raise _too_short(source) from None
        self._source = source
        self._size = len(self._map)
        if self._size < _HEADER:
            raise _too_short(source)
        self._tables = tuple(_PAIR.iter_unpack(self._map[:_HEADER]))

    def get(self, key: bytes) -> bytes | None:
        """The data of the first record of the key. Raises LookupDefer when the file is damaged."""
        hashed = 5381
        for byte in key:
            hashed = (hashed * 33 & 0xFFFFFFFF) ^ byte
        table, slots = self._tables[hashed & 255]
        if not slots:
            return None
        if table + 8 * slots > self._size:
            raise self._damaged()
        first = (hashed >> 8) % slots
        unpack, data, length = _PAIR.unpack_from, self._map, len(key)
        for slot in range(first, first + slots):
            stored, position = unpack(data, table + 8 * (slot % slots))
            if not position:
                return None
            if stored == hashed:
                if position + 8 > self._size:
                    raise self._damaged()
                key_length, data_length = unpack(data, position)
                begin = position + 8
                if begin + key_length + data_length > self._size:
                    raise self._damaged()
                if key_length == length and data[begin : begin + length] == key:
                    return data[begin + length : begin + length + data_length]
        return None

    def _damaged(self) -> LookupDefer:
        return LookupDefer(f"cdb file {self._source} is damaged: a record lies beyond its end")


class Cdb(SingleKey):
    """Implements `ports.lookups.Lookup`."""

    def __init__(self, world: LookupWorld) -> None:
        self._files = KeptFiles(
            world.clock,
            CdbFile,
            irregular="failed to open cannot read header from {source} for cdb lookup: Is a directory",
            purpose="for cdb lookup",
            limit=world.settings.lookup_open_max,
        )

    def find_now(self, key: str, source: str, options: tuple[str, ...] = ()) -> str | None:
        found = self._files.now(source).get(key.encode("utf-8", "surrogateescape"))
        return None if found is None else found.decode("utf-8", "surrogateescape")

    async def find(self, key: str, source: str, options: tuple[str, ...] = ()) -> str | None:
        found = (await self._files.get(source)).get(key.encode("utf-8", "surrogateescape"))
        return None if found is None else found.decode("utf-8", "surrogateescape")


def make(kind: str, world: LookupWorld) -> Cdb:
    return Cdb(world)


def _too_short(source: str) -> LookupNotOpened:
    return LookupNotOpened(f"failed to open {source} too short for cdb lookup")
