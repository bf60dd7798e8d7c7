"""The tree of non-recipients in a -H file: addresses that need no more delivery (Exim chapter 57.1).

Exim writes its balanced binary tree in prefix order, two letters before each address telling which branches follow. Ours is built from
the sorted set, so equal sets give equal bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

EMPTY = b"XX\n"
_BRANCHES = (b"NN ", b"NY ", b"YN ", b"YY ")


def encode_tree(addresses: Iterable[bytes]) -> bytes:
    """The lines, each with its newline."""
    ordered = sorted(set(addresses))
    return b"".join(_lines(ordered)) if ordered else EMPTY


def _lines(ordered: list[bytes]) -> Iterator[bytes]:
    spans = [(0, len(ordered))]
    while spans:
        start, end = spans.pop()
        middle = (start + end) // 2
        has_left, has_right = start < middle, middle + 1 < end
        yield _BRANCHES[2 * has_left + has_right] + ordered[middle] + b"\n"
        if has_right:
            spans.append((middle + 1, end))
        if has_left:
            spans.append((start, middle))


def decode_tree(lines: Iterator[bytes]) -> frozenset[bytes]:
    """Takes exactly the tree's lines (without newlines) from `lines`. Raises ValueError."""
    addresses: list[bytes] = []
    expected = 1
    while expected:
        line = next(lines, b"")
        if not addresses and line == b"XX":
            break
        if len(line) < 4 or line[:3] not in _BRANCHES:
            raise ValueError("a line of the non-recipients tree was expected")
        addresses.append(line[3:])
        expected += line[:2].count(b"Y") - 1
    return frozenset(addresses)
