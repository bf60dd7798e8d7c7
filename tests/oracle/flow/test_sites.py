"""Whole configurations as administrators have them, with the mail of a day: everything that can be seen is as with the real Exim.

`sites/*.conf`, in the form of redirecting.py: each is a kind of system (virtual domains, a list server, a satellite, a hub of old days …).
They take ten seconds each: only with PILLARBOX_LONG=1.
"""

from __future__ import annotations

import os
import tempfile
from difflib import unified_diff
from pathlib import Path

import pytest
from tests.oracle.flow import redirecting
from tests.oracle.flow.test_pipes import EXIM, pytestmark
from tests.oracle.flow.world import may_mount

__all__ = ["pytestmark"]

FOLDER = Path(__file__).parent / "sites"


@pytest.mark.skipif(not os.environ.get("PILLARBOX_LONG"), reason="only with PILLARBOX_LONG=1")
@pytest.mark.parametrize("source", redirecting.sources(FOLDER), ids=lambda path: path.stem)
def test_lives_as_with_the_real_one(source: Path) -> None:
    if not may_mount():
        pytest.skip("no mount namespaces here")
    assert EXIM is not None
    with tempfile.TemporaryDirectory(prefix="pillarbox-site-") as folder:
        Path(folder).chmod(0o755)
        top = Path(folder) / "top"
        real = _lines(redirecting.by(EXIM, top, source))
        if out := os.environ.get("SITES_OUT"):
            Path(out, f"{source.stem}.real").write_text("\n".join(real))
        ours = _lines(redirecting.by("ours", top, source))
    assert not list(unified_diff(real, ours, "real", "ours", lineterm="", n=1))


def _lines(seen: redirecting.Seen) -> list[str]:
    parts = ["said", *seen.said, "log", *seen.log]
    for kind in ("files", "spool", "heard"):
        for name, text in getattr(seen, kind).items():
            told = text if isinstance(text, str) else "\n--\n".join(text)
            parts += [f"{kind} {name}", *told.split("\n")]
    return parts
