"""The real Exim, asked what it would say. Found in $PILLARBOX_EXIM, below .cache/peers, or on the system; never installed by us."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

_PEERS = Path(__file__).parents[2] / ".cache" / "peers"
MISSING = "no exim4 here: set PILLARBOX_EXIM, or unpack one with tools/peers"


def find_exim() -> str | None:
    given = os.environ.get("PILLARBOX_EXIM")
    candidates = [Path(given)] if given else []
    candidates += sorted(_PEERS.glob("*/run/exim4")) + sorted(_PEERS.glob("*/root/usr/sbin/exim4"))
    if found := shutil.which("exim4"):
        candidates.append(Path(found))
    for candidate in candidates:
        if candidate.is_file() and _runs(candidate):
            return str(candidate)
    return None


def _runs(candidate: Path) -> bool:
    try:
        answer = subprocess.run([candidate, "-bV"], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.stdout.startswith(b"Exim version 4.")


def run(exim: str, *arguments: str) -> str:
    answer = subprocess.run([exim, *arguments], capture_output=True, timeout=30, check=False)
    return answer.stdout.decode("utf-8", "surrogateescape")
