"""Sequence sets: `2,4:7,9,12:*`, or `$` for the saved search result (RFC 9051 §9 sequence-set, §6.4.4.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from pillarbox.wire.imap.cursor import BadSyntax, Cursor

_SET = re.compile(rb"(?:[1-9][0-9]{0,9}|\*)(?:[:,](?:[1-9][0-9]{0,9}|\*))*|\$")
STAR = 0
"""`*` in a range: the largest number in use."""
_LARGEST = 0xFFFFFFFF


class SequenceSet(msgspec.Struct, frozen=True):
    """Ranges as they were written: (first, last) in either order, `STAR` for `*`."""

    ranges: tuple[tuple[int, int], ...]
    is_saved_result: bool = False
    """`$`: what SEARCH RETURN (SAVE) kept."""

    def resolve(self, largest: int) -> list[tuple[int, int]]:
        """Ascending, disjoint (low, high) with `*` replaced by `largest`."""
        ranges = []
        for first, last in self.ranges:
            first, last = first or largest, last or largest
            ranges.append((first, last) if first <= last else (last, first))
        if len(ranges) < 2:
            return ranges
        ranges.sort()
        merged = [ranges[0]]
        for low, high in ranges:
            if low <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
            else:
                merged.append((low, high))
        return merged


def parse_sequence_set(cursor: Cursor) -> SequenceSet:
    found = cursor.match(_SET)
    if found is None:
        raise BadSyntax("Expected a message set")
    if found[0] == b"$":
        return SequenceSet((), is_saved_result=True)
    ranges = tuple(_range(text) for text in found[0].split(b","))
    return SequenceSet(ranges)


def _range(text: bytes) -> tuple[int, int]:
    first, colon, last = text.partition(b":")
    if b":" in last:
        raise BadSyntax("Malformed message set")
    low = _number(first)
    return low, _number(last) if colon else low


def _number(text: bytes) -> int:
    value = STAR if text == b"*" else int(text)
    if value > _LARGEST:
        raise BadSyntax("Number too large")
    return value


def format_set(numbers: Iterable[int]) -> bytes:
    """Ascending numbers as the shortest set: `[1, 2, 3, 7]` → `1:3,7`. Empty for none."""
    return format_runs(runs_of(numbers))


def format_runs(runs: Iterable[tuple[int, int]]) -> bytes:
    """Empty for none."""
    return b",".join(_run(first, last) for first, last in runs)


def runs_of(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Ascending numbers as (first, last)."""
    runs: list[tuple[int, int]] = []
    start = previous = -1
    for number in numbers:
        if number == previous + 1 and start >= 0:
            previous = number
            continue
        if start >= 0:
            runs.append((start, previous))
        start = previous = number
    if start >= 0:
        runs.append((start, previous))
    return runs


def _run(start: int, end: int) -> bytes:
    return b"%d" % start if start == end else b"%d:%d" % (start, end)
