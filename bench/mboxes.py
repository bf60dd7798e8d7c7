"""Counting what arrived in mbox files, one for each user in one directory. The time of the last delivery is the last change of any of them."""

import re
import time
from collections import Counter
from pathlib import Path

from bench.generator import Result
from bench.message import MARKER
from bench.scenarios.load import complaint

_MARKER = re.compile(re.escape(MARKER) + rb"(\S+)")


class MboxCount:
    """As `load.MaildirCount`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def total(self) -> int:
        return sum(self._markers().values())

    def wait(self, wanted: int, timeout: float) -> int:
        deadline = time.monotonic() + timeout
        while (found := self.total()) < wanted and time.monotonic() < deadline:
            time.sleep(0.5)
        return found

    def check(self, run: str, base: int, result: Result) -> tuple[int, float, str]:
        prefix = run.encode() + b"-"
        found = Counter({marker: n for marker, n in self._markers().items() if marker.startswith(prefix)})
        last = max((path.stat().st_mtime_ns / 1e9 for path in self._files()), default=0.0)
        return len(found), last, complaint(len(found), found.total() - len(found), result)

    def _files(self) -> list[Path]:
        return [path for path in self.root.iterdir() if path.suffix != ".lock"]

    def _markers(self) -> Counter[bytes]:
        found: Counter[bytes] = Counter()
        for path in self._files():
            found.update(_MARKER.findall(path.read_bytes()))
        return found
