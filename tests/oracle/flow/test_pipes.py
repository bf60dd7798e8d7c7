"""Pipes and answers beside the real Exim's: the same log lines and the same files (Exim chapters 24, 25, 27, 29)."""

from __future__ import annotations

import os
import pwd
import tempfile
from pathlib import Path

import pytest
from tests.oracle.flow import pipes
from tests.oracle.flow.world import USER, may_mount
from tests.oracle.real_exim import MISSING, find_exim

EXIM = find_exim()
pytestmark = [
    pytest.mark.skipif(EXIM is None, reason=MISSING),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can deliver as other users"),
    pytest.mark.skipif(
        USER not in {entry.pw_name for entry in pwd.getpwall()}, reason=f"there is no user {USER}"
    ),
]


@pytest.mark.parametrize("name", pipes.names())
def test_as_the_real_one(name: str) -> None:
    if not may_mount():
        pytest.skip("no mount namespaces here")
    assert EXIM is not None
    with tempfile.TemporaryDirectory(prefix="pillarbox-pipes-") as folder:
        Path(folder).chmod(0o755)
        top = Path(folder) / "top"
        real = pipes.by_real(EXIM, top, name)
        ours = pipes.by_ours(top, name)
    assert ours.log == real.log
    assert ours.files == real.files
