"""Small configurations with a script each, beside the real Exim's (situations.py)."""

from __future__ import annotations

import os
import tempfile
from difflib import unified_diff
from pathlib import Path

import pytest
from tests.oracle.flow import situations
from tests.oracle.flow.test_pipes import EXIM, pytestmark
from tests.oracle.flow.world import may_mount

__all__ = ["pytestmark"]

SITUATIONS = situations.situations()
_SAMPLE = ("delivered/log-of-the-system-filter", "received/id-of-an-acl", "submitted/thrown-away")
"""For `make test`, a second or two each: some others ask a hundred commands."""
_CHOSEN = list(SITUATIONS) if os.environ.get("PILLARBOX_LONG") else _SAMPLE


@pytest.mark.parametrize("name", _CHOSEN)
def test_as_with_the_real_one(name: str) -> None:
    if not may_mount():
        pytest.skip("no mount namespaces here")
    assert EXIM is not None
    with tempfile.TemporaryDirectory(prefix="pillarbox-situation-") as folder:
        Path(folder).chmod(0o755)
        top = Path(folder) / "top"
        real = situations.by(EXIM, EXIM, top, SITUATIONS[name])
        ours = situations.by("ours", EXIM, top, SITUATIONS[name])
        if out := os.environ.get("SITUATIONS_OUT"):
            for side, lines in (("real", real), ("ours", ours)):
                Path(out, f"{name.replace('/', '-')}.{side}").write_text("\n".join(lines))
    assert not list(unified_diff(real, ours, "real", "ours", lineterm="", n=1))
