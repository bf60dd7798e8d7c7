"""Receiving sessions beside the real Exim's: the same replies, log lines and spool files (Exim chapters 5, 14, 44, 48, 49)."""

from __future__ import annotations

import os

import pytest
from tests.oracle.flow import sessions
from tests.oracle.flow.dialogue import with_both
from tests.oracle.real_exim import MISSING, find_exim

EXIM = find_exim()
pytestmark = [
    pytest.mark.skipif(EXIM is None, reason=MISSING),
    pytest.mark.skipif(os.geteuid() != 0, reason="the real one believes -C of root only"),
]
SCENARIOS = {scenario.name: scenario for scenario in sessions.scenarios()}
OTHERWISE = {
    "limits-host-received-max": "received-loops",
    "acls-host-vrfy": "etrn-in-the-daemon",
    "arrivals-host-prdr-no-acl": "prdr-without-acl",
    "repaired-host-more-nul": "header-fix-ups",
    "submitted-submit-long-line": "header-fix-ups",
}
"""Scenario → the section of docs/exim-compatibility.md that says why: they are held, and nothing is compared but that both end."""


@pytest.mark.parametrize("name", list(SCENARIOS))
def test_as_the_real_one(name: str) -> None:
    assert EXIM is not None
    real, ours = with_both(sessions.hold, SCENARIOS[name], EXIM)
    if os.environ.get("PILLARBOX_SHOW"):
        print(real.replies, *real.main, sep="\n")
    if name in OTHERWISE:
        pytest.xfail(OTHERWISE[name])
    assert ours == real
