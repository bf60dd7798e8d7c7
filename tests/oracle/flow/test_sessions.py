"""Receiving sessions beside the real Exim's: the same replies, log lines and spool files (Exim chapters 5, 14, 44, 48, 49)."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from tests.oracle.flow import dialogue, sessions
from tests.oracle.real_exim import MISSING, find_exim

EXIM = find_exim()
pytestmark = [
    pytest.mark.skipif(EXIM is None, reason=MISSING),
    pytest.mark.skipif(os.geteuid() != 0, reason="the real one believes -C of root only"),
]
SCENARIOS = {scenario.name: scenario for scenario in sessions.scenarios()}
OTHERWISE = {
    "limits-host-received-max": "received-loops",
    "limits-local-size-limit": "rejected-headers-too-big",
    "acls-host-vrfy": "etrn-in-the-daemon",
    "arrivals-host-prdr-no-acl": "prdr-without-acl",
    "repaired-host-more-nul": "header-fix-ups",
    "submitted-submit-long-line": "header-fix-ups",
    "submitted-submit-about-a-host": "header-fix-ups",
    "submitted-submit-too-big": "rejected-headers-too-big",
}
"""Scenario → the section of docs/exim-compatibility.md that says why: they are held, and nothing is compared but that both end."""


@pytest.mark.parametrize("name", list(SCENARIOS))
def test_as_the_real_one(name: str) -> None:
    assert EXIM is not None
    scenario = SCENARIOS[name]
    with tempfile.TemporaryDirectory(prefix="pillarbox-sessions-") as folder:
        Path(folder).chmod(0o755)
        real = sessions.hold(scenario, dialogue.real(EXIM), Path(folder) / "place")
        ours = sessions.hold(scenario, dialogue.ours(), Path(folder) / "place")
    if os.environ.get("PILLARBOX_SHOW"):
        print(real.replies, *real.main, sep="\n")
    if name in OTHERWISE:
        pytest.xfail(OTHERWISE[name])
    assert ours.replies == real.replies
    assert ours.main == real.main
    assert ours.reject == real.reject
    assert ours.panic == real.panic
    assert ours.spool == real.spool
