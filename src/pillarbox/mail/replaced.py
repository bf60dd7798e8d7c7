"""Header lines that a message came with and no longer has: Exim keeps them in the -H file, with a `*` in front (Exim 57.1).

They are no part of the message. Each remembers its place among the lines that are, so that a replaced line stands before what has replaced it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import msgspec

from pillarbox.mail.header import Header, parse_headers

_COMPLETING = frozenset(("date", "from", "message-id", "resent-date", "resent-from", "resent-message-id"))


class Replaced(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A line that went. `before`: the number of the line it stands in front of, from 0."""

    before: int
    raw: bytes


def replaced_lines(taken: bytes, kept: bytes) -> tuple[Replaced, ...]:
    """What of the header block `taken` is not in `kept`; both in LF form."""
    if taken in kept:
        return ()
    new, old = parse_headers(kept), parse_headers(taken)
    places: dict[bytes, list[int]] = {}
    for number, field in enumerate(new):
        places.setdefault(field.raw, []).append(number)
    found: list[Replaced] = []
    gone: list[Header] = []
    begin = 0
    for field in old:
        at = places.get(field.raw, [])
        next_place = bisect_left(at, begin)
        if next_place == len(at):
            gone.append(field)
            continue
        found += _placed(gone, new, begin, at[next_place])
        gone, begin = [], at[next_place] + 1
    return (*found, *_placed(gone, new, begin, begin or _end_of_trace(new), search_end=len(new)))


def _end_of_trace(new: Sequence[Header]) -> int:
    """Where nothing of the message is left: behind its Received: and what ACLs put there, if what completes a message comes behind that."""
    names = [field.name.lower() for field in new]
    end = names.index("received") + 1 if "received" in names else 0
    return next((at for at in range(end, len(names)) if names[at] in _COMPLETING), end)


def _placed(
    gone: Sequence[Header], new: Sequence[Header], begin: int, end: int, search_end: int = 0
) -> list[Replaced]:
    """Each in front of the next new line of its name, which is sought from `begin` to `search_end` (or `end`); one that has none goes with
    the line that stood behind it, the last ones to `end`: what was added behind everything comes behind them."""
    search_end = search_end or end
    successors: list[int | None] = []
    for field in gone:
        name = field.name.lower()
        successor = next((at for at in range(begin, search_end) if new[at].name.lower() == name), None)
        successors.append(successor)
        begin = begin if successor is None else successor + 1
    placed: list[Replaced] = []
    before = end
    for field, successor in zip(reversed(gone), reversed(successors), strict=True):
        before = before if successor is None else successor
        placed.append(Replaced(before, field.raw))
    return placed[::-1]


def woven(lines: Sequence[bytes], replaced: Sequence[Replaced]) -> list[tuple[bytes, bool]]:
    """All lines in their order, and of each whether it is one that went."""
    result: list[tuple[bytes, bool]] = []
    waiting = list(reversed(replaced))
    for number, line in enumerate(lines):
        while waiting and waiting[-1].before <= number:
            result.append((waiting.pop().raw, True))
        result.append((line, False))
    return result + [(one.raw, True) for one in reversed(waiting)]
