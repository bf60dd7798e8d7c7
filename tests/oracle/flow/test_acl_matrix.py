"""Verbs × conditions × texts × places, side by side with the real one: see `acl_matrix`."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.oracle.flow.acl_dialogue import Scenario
from tests.oracle.flow.acl_matrix import ALONE, PLACES, endings, everything, matrix
from tests.oracle.flow.test_acls import assert_alike, exim, folder, town
from tests.oracle.flow.town import Town

__all__ = ["exim", "folder", "town"]
pytestmark = pytest.mark.oracle
_ALL = [session for place in PLACES for session in matrix(place)]
_ENDINGS = [session for place in PLACES for session in endings(place)]
_EVERYTHING = [session for place in (*PLACES, *ALONE) for session in everything(place)]


@pytest.mark.parametrize(
    "scenario", [*_ALL, *_ENDINGS, *_EVERYTHING], ids=lambda scenario: scenario.name.replace(" ", "-")
)
def test_as_the_real_one(scenario: Scenario, town: Town, exim: str, folder: Path) -> None:
    assert_alike(scenario, town, exim, folder)
