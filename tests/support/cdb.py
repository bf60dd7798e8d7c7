"""Writes cdb files for tests: what `cdbmake` writes (https://cr.yp.to/cdb/cdb.txt)."""

from __future__ import annotations

import struct
from collections.abc import Iterable

_PAIR = struct.Struct("<II")
_HEADER = 2048


def write_cdb(records: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A database in memory."""
    body = bytearray(_HEADER)
    tables: list[list[tuple[int, int]]] = [[] for _ in range(256)]
    for key, data in records:
        hashed = 5381
        for byte in key:
            hashed = (hashed * 33 & 0xFFFFFFFF) ^ byte
        tables[hashed & 255].append((hashed, len(body)))
        body += _PAIR.pack(len(key), len(data)) + key + data
    for index, entries in enumerate(tables):
        slots: list[tuple[int, int]] = [(0, 0)] * (2 * len(entries))
        for hashed, position in entries:
            at = (hashed >> 8) % len(slots)
            while slots[at][1]:
                at = (at + 1) % len(slots)
            slots[at] = (hashed, position)
        _PAIR.pack_into(body, index * 8, len(body), len(slots))
        body += b"".join(_PAIR.pack(*slot) for slot in slots)
    return bytes(body)
