"""The real Exim, asked what it would say. Found in $PILLARBOX_EXIM, below .cache/peers, or on the system; never installed by us."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from bench.servers.server import PEERS

NEEDED = (4, 100)
MISSING = "no Exim 4.100 here: set PILLARBOX_EXIM, or unpack one with tools/peers exim-current (it needs the user Debian-exim)"


@cache
def find_exim() -> str | None:
    """The newest: what it says word for word is what we follow."""
    if given := os.environ.get("PILLARBOX_EXIM"):
        return given if _version(Path(given)) else None
    candidates = [*PEERS.glob("*/run/exim4"), *PEERS.glob("*/root/usr/sbin/exim4")]
    if found := shutil.which("exim4"):
        candidates.append(Path(found))
    versions = {candidate: _version(candidate) for candidate in candidates}
    best = max(candidates, key=lambda candidate: versions[candidate], default=None)
    return str(best) if best and versions[best] >= NEEDED else None


def _version(candidate: Path) -> tuple[int, ...]:
    """(4, 100, 1); empty when it does not run."""
    try:
        answer = subprocess.run([candidate, "-bV"], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    found = re.match(rb"Exim version ([\d.]+)", answer.stdout)
    return tuple(int(part) for part in found.group(1).split(b".") if part) if found else ()


def run(exim: str, *arguments: str) -> str:
    answer = subprocess.run([exim, *arguments], capture_output=True, timeout=30, check=False)
    return answer.stdout.decode("utf-8", "surrogateescape")
