"""Room for mail: `check_spool_space`, `check_log_space` and their inodes (Exim 14). Where it runs short nothing is taken in.

Asked once for each message, at MAIL or before a program's message is read. The file system is looked at ten times a second at most: what comes
in between is what a disk that is filling up meets anyway.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import msgspec

SPARE = 5000
"""Octets that a message needs beyond its SIZE."""


AGE = 0.1
"""Seconds for which an answer of the file system is good."""
Ask = Callable[[str], os.statvfs_result]


def remembering(ask: Ask, monotonic: Callable[[], float]) -> Ask:
    """The same question, put again when the answer is older than AGE. Raises what it raises."""
    known: dict[str, tuple[float, os.statvfs_result]] = {}

    def answer(directory: str) -> os.statvfs_result:
        now = monotonic()
        asked_at, found = known.get(directory, (float("-inf"), None))
        if found is None or now - asked_at > AGE:
            found = ask(directory)
            known[directory] = now, found
        return found

    return answer


class Place(msgspec.Struct, frozen=True):
    """A directory, and what must be left on its file system."""

    name: str
    """`spool` or `log`."""
    directory: str
    octets: int
    inodes: int


class DiskSpace(msgspec.Struct, frozen=True, kw_only=True):
    places: tuple[Place, ...]
    counts_size: bool = True
    """`smtp_check_spool_space`: what the client wants to send must fit too."""
    ask: Ask = os.statvfs

    def shortage(self, size: int = 0) -> str:
        """What is to be logged; empty: there is room. `size`: octets that come, 0: not known."""
        for place in self.places:
            try:
                found = self.ask(place.directory)
            except OSError:
                continue
            free = found.f_bavail * found.f_frsize
            coming = size + SPARE if size and self.counts_size and place.name == "spool" else 0
            has_inodes = not found.f_files or found.f_favail >= place.inodes
            if free < place.octets + coming or not has_inodes:
                left = found.f_favail if found.f_files else -1
                return f"{place.name} directory space check failed: space={free // 1024} inodes={left}"
        return ""
