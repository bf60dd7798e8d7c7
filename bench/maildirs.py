"""Counting what really arrived: files in `new` and `cur` of the users' Maildirs.

A delivery's time is its file's ctime, which the rename or link into `new` sets; so polling can be slow and the figure exact.
"""

import os
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from bench.message import read_marker


@dataclass(frozen=True)
class Arrivals:
    """What was found. `last` is epoch seconds, 0 where nothing is."""

    files: int
    distinct: int
    duplicates: int
    unmarked: int
    last: float
    markers: frozenset[bytes]


def mail_folders(root: Path) -> list[Path]:
    """Every `new` and `cur` below the root, at most three levels down (user, or domain/user, or user/Maildir)."""
    found: list[Path] = []
    for depth in ("*", "*/*", "*/*/*"):
        found += [path for name in ("new", "cur") for path in root.glob(f"{depth}/{name}") if path.is_dir()]
    return found


def count_files(root: Path) -> int:
    return sum(len(os.listdir(folder)) for folder in mail_folders(root))


def wait_for(root: Path, wanted: int, timeout: float) -> int:
    """Wait until that many files are there; stop early when nothing has come for a third of the time."""
    started = moved = time.monotonic()
    count = -1
    while True:
        now = time.monotonic()
        found = count_files(root)
        if found != count:
            count, moved = found, now
        if count >= wanted or now - started > timeout or now - moved > timeout / 3:
            return count
        time.sleep(0.1)


def read_arrivals(root: Path, run: str) -> Arrivals:
    """Read every file: markers of this run, doubles, and files without a marker (smtp-source's)."""
    markers: Counter[bytes] = Counter()
    unmarked = files = 0
    last = 0.0
    prefix = run.encode() + b"-"
    for folder in mail_folders(root):
        for path in folder.iterdir():
            marker = read_marker(path)
            if marker is not None and not marker.startswith(prefix):
                continue
            files += 1
            last = max(last, path.stat().st_ctime_ns / 1e9)
            if marker is None:
                unmarked += 1
            else:
                markers[marker] += 1
    return Arrivals(
        files, len(markers), sum(markers.values()) - len(markers), unmarked, last, frozenset(markers)
    )
