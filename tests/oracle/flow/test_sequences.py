"""Whole sequences of commands beside the real Exim's (sequences.py)."""

from __future__ import annotations

import os
import tempfile
from difflib import unified_diff
from pathlib import Path

import pytest
from tests.oracle.flow import sequences
from tests.oracle.flow.test_pipes import EXIM, pytestmark
from tests.oracle.flow.world import may_mount

__all__ = ["pytestmark"]

SEQUENCES = sequences.sequences()
_SAMPLE = (
    "configured/ifdef",
    "outgoing/remote_sort_domains",
    "spooled/old names of messages",
    "waiting/named queues",
)
"""For `make test`, some seconds each."""
_CHOSEN = list(SEQUENCES) if os.environ.get("PILLARBOX_LONG") else _SAMPLE


@pytest.mark.parametrize("name", _CHOSEN)
def test_as_with_the_real_one(name: str) -> None:
    if not may_mount():
        pytest.skip("no mount namespaces here")
    assert EXIM is not None
    with tempfile.TemporaryDirectory(prefix="pillarbox-sequence-") as folder:
        Path(folder).chmod(0o755)
        top = Path(folder) / "top"
        real = sequences.by(EXIM, EXIM, top, SEQUENCES[name])
        ours = sequences.by("ours", EXIM, top, SEQUENCES[name])
    assert not list(unified_diff(real, ours, "real", "ours", lineterm="", n=1))
