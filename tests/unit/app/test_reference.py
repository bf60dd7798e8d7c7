"""The reference pages say what the code declares."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "reference"


def test_the_pages_are_current() -> None:
    """In a process of its own: other tests declare drivers too."""
    command = [sys.executable, "-m", "pillarbox.app.reference", "--check", str(FOLDER)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"run make reference: {done.stdout} {done.stderr}"


def test_every_option_is_explained() -> None:
    for path in FOLDER.glob("*.md"):
        for line in path.read_text("utf-8").splitlines():
            if line.startswith("| `"):
                assert line.rstrip(" |").rpartition("|")[2].strip(), f"{path.name}: {line} has no text"
