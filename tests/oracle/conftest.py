"""Where the real Exim is."""

from __future__ import annotations

import pytest
from tests.oracle.real_exim import MISSING, find_exim


@pytest.fixture(scope="session")
def exim() -> str:
    found = find_exim()
    if found is None:
        pytest.skip(MISSING)
    return found
