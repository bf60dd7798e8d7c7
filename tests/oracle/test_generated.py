"""A sample of generated strings: `make oracle` runs many thousands."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.oracle.__main__ import generated_differences, generated_family
from tests.oracle.real_exim import MISSING, find_exim

pytestmark = pytest.mark.oracle

SEED = 7
COUNT = 500


def test_answers_generated_strings_as_exim_does(tmp_path: Path) -> None:
    exim = find_exim()
    if exim is None:
        pytest.skip(MISSING)
    tmp_path.chmod(0o755)
    found = generated_differences(exim, generated_family(SEED, COUNT, tmp_path / "generated"))
    assert not found, "\n".join(found)
