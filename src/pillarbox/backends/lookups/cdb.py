"""cdb: constant databases, read by ourselves (Exim 9.3.1, https://cr.yp.to/cdb/cdb.txt).

The header is 256 pairs (position, slots) of hash tables; a slot is (hash, position); a record is key length, data length, key, data,
all numbers 32 bit little-endian. A file of up to 32 MB is kept in memory, a larger one open, two reads a lookup. It is not mapped: a
file that is cut short under its mapping ends the process. Every offset and length is checked.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable

from pillarbox.backends.lookups.driver import LookupWorld, SingleKey
from pillarbox.backends.lookups.files.kept import KeptFiles
from pillarbox.ports.lookups import LookupDefer, LookupNotOpened

_PAIR = struct.Struct("<II")
_HEADER = 2048
IN_MEMORY = 32 * 1024 * 1024
"""Bytes."""
_AT_ONCE = 8
"""Slots read at once: tables are half empty, so the third is rarely needed."""
_GUESS = 512
"""Bytes read of a record at first."""
MAX_DATA = 8 * 1024 * 1024
"""Bytes of one record's data."""


class CdbFile:
    """One open file. Raises LookupNotOpened when it cannot be one."""

    __slots__ = ("_descriptor", "_read_some", "_source", "_tables")

    def __init__(self, descriptor: int, source: str) -> None:
        self._descriptor = -1
        header = os.pread(descriptor, _HEADER, 0)
        if len(header) < _HEADER:
            raise LookupNotOpened(f"failed to open {source} too short for cdb lookup")
        self._source = source
        if os.fstat(descriptor).st_size <= IN_MEMORY:
            content = os.pread(descriptor, IN_MEMORY, 0)
            self._read_some: Callable[[int, int], bytes] = lambda length, at: content[at : at + length]
        else:
            self._descriptor = kept = os.dup(descriptor)
            self._read_some = lambda length, at: os.pread(kept, length, at)
        self._tables = tuple(_PAIR.iter_unpack(header))

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def get(self, key: bytes) -> bytes | None:
        """The data of the first record of the key. Raises LookupDefer when the file is damaged."""
        hashed = 5381
        for byte in key:
            hashed = (hashed * 33 & 0xFFFFFFFF) ^ byte
        table, slots = self._tables[hashed & 255]
        if not slots:
            return None
        first = (hashed >> 8) % slots
        for begin, end in ((first, slots), (0, first)):  # the table is a ring
            for at in range(begin, end, _AT_ONCE):
                chunk = self._read(8 * min(_AT_ONCE, end - at), table + 8 * at)
                for stored, position in _PAIR.iter_unpack(chunk):
                    if not position:
                        return None
                    if stored == hashed and (data := self._record(position, key)) is not None:
                        return data
        return None

    def _record(self, position: int, key: bytes) -> bytes | None:
        """The data of the record there, if it is the key's."""
        piece = self._read_some(_GUESS, position)
        if len(piece) < 8:
            raise self._damaged()
        key_length, data_length = _PAIR.unpack_from(piece)
        if key_length != len(key):
            return None
        begin, end = 8 + key_length, 8 + key_length + data_length
        if end > len(piece):
            if data_length > MAX_DATA:
                raise self._damaged()
            piece = self._read(end, position)
        return piece[begin:end] if piece.startswith(key, 8) else None

    def _read(self, length: int, position: int) -> bytes:
        piece = self._read_some(length, position)
        if len(piece) < length:
            raise self._damaged()
        return piece

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
