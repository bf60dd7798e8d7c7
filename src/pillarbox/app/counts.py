"""Counts that all workers share: connections in all and by address, so that limits hold for the server and not for each worker.

One row of counters a worker in memory that the supervisor maps before it forks; a worker writes its own row only, and reads all. A row left
by a worker that died is cleared by its successor. Addresses share `BUCKETS` counters: that two meet in one is possible and costs at worst a
"try again later".
"""

from __future__ import annotations

import mmap
from zlib import crc32

BUCKETS = 65_536
_ALL = BUCKETS
_ROW = BUCKETS + 1


class SharedCounts:
    """For `workers` processes; made before they are forked."""

    __slots__ = ("_cells", "_workers")

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._cells = memoryview(mmap.mmap(-1, workers * _ROW * 4)).cast("I")

    def row(self, slot: int) -> Counts:
        """The counts as the worker in `slot` sees them."""
        return Counts(self._cells, slot * _ROW, self._workers)


class Counts:
    __slots__ = ("_cells", "_row", "_rows")

    def __init__(self, cells: memoryview[int], row: int, workers: int) -> None:
        self._cells = cells
        self._row = row
        self._rows = range(0, workers * _ROW, _ROW)

    def clear(self) -> None:
        """At a worker's start: what its predecessor held is gone."""
        self._cells[self._row : self._row + _ROW] = memoryview(bytes(_ROW * 4)).cast("I")

    def in_all(self) -> int:
        return self._sum(_ALL)

    def of(self, address: str) -> int:
        return self._sum(_bucket(address))

    def _sum(self, column: int) -> int:
        cells, count = self._cells, 0
        for row in self._rows:
            count += cells[row + column]
        return count

    def add(self, address: str) -> None:
        self._cells[self._row + _ALL] += 1
        self._cells[self._row + _bucket(address)] += 1

    def remove(self, address: str) -> None:
        self._cells[self._row + _ALL] -= 1
        self._cells[self._row + _bucket(address)] -= 1


def _bucket(address: str) -> int:
    return crc32(address.encode("utf-8", "surrogateescape")) % BUCKETS
