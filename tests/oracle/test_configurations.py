"""Configurations that others wrote: what Exim takes, we take; what it refuses, we refuse.

Debian's own in each set-up kind, and those of tests/configurations, which follow other packages' documentation.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.oracle import debian

pytestmark = pytest.mark.oracle

_OURS = Path(sys.executable).parent
_WRITTEN = sorted((Path(__file__).parents[1] / "configurations").glob("*.conf"))


def ask(program: str | Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)


def assert_taken_by_both(exim: str, path: Path) -> None:
    theirs = ask(exim, "-C", str(path), "-bV")
    assert theirs.returncode == 0, theirs.stdout + theirs.stderr
    ours = ask(_OURS / "exim", "-C", str(path), "-bV")
    assert (ours.returncode, ours.stderr) == (0, "")
    checked = ask(_OURS / "pillarbox", "config", "check", str(path))
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("path", _WRITTEN, ids=lambda path: path.stem)
def test_takes_what_others_wrote(exim: str, path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "exim.conf"
    copy.write_text(path.read_text())
    copy.chmod(0o644)
    assert_taken_by_both(exim, copy)


@pytest.mark.parametrize("kind", debian.KINDS)
@pytest.mark.parametrize("is_split", [False, True], ids=["one-file", "split"])
def test_takes_debians_own(exim: str, kind: str, is_split: bool, tmp_path: Path) -> None:
    roots = debian.find_configurations()
    if not roots:
        pytest.skip(debian.MISSING)
    for number, root in enumerate(roots):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert_taken_by_both(exim, debian.make(root, folder, kind, is_split=is_split))
