"""Redirection beside the real Exim's: logs, mailboxes, answers of `-bt`, and what stays in the spool (Exim chapters 15 to 22, 31, 47)."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from tests.oracle.flow import redirecting
from tests.oracle.flow.test_pipes import EXIM, pytestmark
from tests.oracle.flow.world import may_mount
from tests.process.prepared import keeps_root

__all__ = ["pytestmark"]


@pytest.mark.parametrize("source", redirecting.sources(), ids=lambda path: path.stem)
def test_as_the_real_one(source: Path) -> None:
    if not may_mount():
        pytest.skip("no mount namespaces here")
    assert EXIM is not None
    with tempfile.TemporaryDirectory(prefix="pillarbox-redirect-") as folder:
        Path(folder).chmod(0o755)
        top = Path(folder) / "top"
        real = redirecting.by(EXIM, top, source)
        ours = redirecting.by("ours", top, source)
        if os.environ.get("PILLARBOX_SHOW"):
            print("\n".join([*real.said, *real.log, *real.files.values(), *real.spool.values()]))
    assert ours.said == real.said
    assert ours.log == real.log
    assert ours.files == real.files
    if not keeps_root():  # bounces name who made them
        assert ours.spool == real.spool
