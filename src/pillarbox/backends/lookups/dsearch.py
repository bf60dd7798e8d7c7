"""dsearch: is there a file of this name in the directory? The result is the name (Exim 9.3).

One system call on a local directory, so it is answered at once. Names with a slash, `.` and `..` are never found.
"""

from __future__ import annotations

import os

from pillarbox.backends.lookups.driver import LookupWorld, SingleKey
from pillarbox.ports.lookups import LookupDefer


class Dsearch(SingleKey):
    """Implements `ports.lookups.Lookup`."""

    def find_now(self, key: str, source: str, options: tuple[str, ...] = ()) -> str | None:
        if not source.startswith("/"):
            raise LookupDefer(f"failed to open {source} for directory search: not an absolute path")
        if not key or "/" in key or "\0" in key or key in (".", ".."):
            return None
        if not os.path.isdir(source):
            raise LookupDefer(f"failed to open {source} for directory search: no such directory")
        return key if os.path.lexists(os.path.join(source, key)) else None


def make(kind: str, world: LookupWorld) -> Dsearch:
    return Dsearch()
