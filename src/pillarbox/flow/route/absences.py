"""Names that users do not have in their homes, known as long as the directory has not changed.

Hardly anybody has a `.forward`, and a look with a user's rights is a conversation with another process. A directory tells by its times when a
name came or went, and we may mostly ask for them though we may not look into it. What is there is looked at every time: files change in place,
their directory does not tell. The same holds for a link that leads nowhere as yet.

A change within the same tick of the file system's clock as the look would not be seen: what has changed lately is not remembered.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from pillarbox.ports.localwork import Actor

SETTLED = 2.0
"""Seconds without a change, then a directory's times tell of the next."""
_MOST = 10_000
"""Directories."""
Stamp = tuple[int, int, int, int]


def stamp_of(directory: str) -> Stamp | None:
    """None: it tells us nothing."""
    try:
        status = os.stat(directory)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns


def is_settled(stamp: Stamp | None, now: float) -> bool:
    """`now`: epoch seconds."""
    return stamp is not None and now - max(stamp[2], stamp[3]) / 1e9 >= SETTLED


class Absences:
    """Of one process."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[str, Actor], tuple[Stamp, frozenset[str]]] = {}

    def knows(self, directory: str, actor: Actor) -> bool:
        """Something of it: it is worth a look at its times."""
        return (directory, actor) in self._known

    def holds(self, directory: str, name: str, actor: Actor, stamp: Stamp | None) -> bool:
        known = self._known.get((directory, actor))
        return known is not None and known[0] == stamp and name in known[1]

    def keep(
        self, directory: str, names: Iterable[str], actor: Actor, stamp: Stamp | None, now: float
    ) -> None:
        """`stamp`: from before the look. `now`: epoch seconds."""
        if stamp is None or not is_settled(stamp, now):
            return
        before = self._known.get((directory, actor))
        others = before[1] if before is not None and before[0] == stamp else frozenset[str]()
        if before is None and len(self._known) >= _MOST:
            self._known.clear()
        self._known[directory, actor] = stamp, others.union(names)
