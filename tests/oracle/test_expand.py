"""`exim -be`, ours and the real one's: the same words for every string of every family, values and errors."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.oracle import families

pytestmark = pytest.mark.oracle

_COMPATIBILITY = Path(__file__).parents[2] / "docs" / "exim-compatibility.md"


def printable(text: str) -> str:
    """Bytes that are no characters must not upset whoever prints this."""
    return text.encode("utf-8", "backslashreplace").decode()


@pytest.mark.parametrize("name", families.names())
def test_says_what_exim_says(exim: str, name: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    found = families.differences(exim, families.prepare(name, tmp_path / name))
    if found:
        pytest.fail(printable(f"{len(found)} differences\n" + "\n".join(found)), pytrace=False)


@pytest.mark.parametrize("name", families.names())
def test_explanations_are_written_down(name: str, tmp_path: Path) -> None:
    known = _COMPATIBILITY.read_text("utf-8") if _COMPATIBILITY.exists() else ""
    for case in families.prepare(name, tmp_path / name).cases:
        if case.explanation:
            title = case.explanation.partition(":")[0]
            assert f"## {title}\n" in known, f"{name}/strings.txt:{case.line}: no heading {title!r}"
