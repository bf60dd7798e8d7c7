"""Expansions compared with the real Exim's. Values must be equal; where it fails we must fail, in our own words."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.oracle.pillarbox_expand import CONFIGURATION, expand
from tests.oracle.real_exim import MISSING, expand_all, find_exim

pytestmark = pytest.mark.oracle


@pytest.fixture(scope="module")
def exim() -> str:
    found = find_exim()
    if found is None:
        pytest.skip(MISSING)
    return found


def corpus(name: str) -> list[str]:
    text = (Path(__file__).parent / name).read_text("utf-8")
    return [line for line in text.split("\n") if line and not line.startswith("# ")]


@pytest.mark.parametrize("name", ["corpus_expand.txt", "corpus_lists.txt"])
async def test_expands_as_exim_does(exim: str, name: str, tmp_path: Path) -> None:
    configuration = tmp_path / "exim.conf"
    configuration.write_text(
        f"{CONFIGURATION}spool_directory = {tmp_path}\nlog_file_path = {tmp_path}/%slog\n"
    )
    configuration.chmod(0o644)
    strings = corpus(name)
    differences = []
    for text, theirs in zip(strings, expand_all(exim, configuration, strings), strict=True):
        ours = await expand(text)
        both_fail = ours.startswith("Failed: ") and theirs.startswith("Failed: ")
        if ours != theirs and not both_fail:
            differences.append(f"{text}\n  ours:   {ours!r}\n  theirs: {theirs!r}")
    assert not differences, "\n".join(differences)
