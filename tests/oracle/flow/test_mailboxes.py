"""Local deliveries beside the real Exim's: the same files, owners, modes, contents and log lines (Exim chapter 26)."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import msgspec
import pytest
from tests.oracle.flow import mailbox_faults, mailbox_quotas, mailbox_scenarios
from tests.oracle.flow.mailboxes import Scenario, by_ours, by_real, prepare, see
from tests.oracle.real_exim import MISSING, find_exim

EXIM = find_exim()
SCENARIOS = mailbox_scenarios.SCENARIOS | mailbox_faults.SCENARIOS | mailbox_quotas.SCENARIOS
pytestmark = [
    pytest.mark.skipif(EXIM is None, reason=MISSING),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can deliver as other users"),
]


@pytest.mark.parametrize("name", SCENARIOS)
def test_as_the_real_one(name: str) -> None:
    assert EXIM is not None
    scenario: Scenario = SCENARIOS[name]
    scenario = msgspec.structs.replace(scenario, main=scenario.main.replace("REAL", EXIM))
    with tempfile.TemporaryDirectory(prefix="pillarbox-flow-") as folder:
        top = Path(folder) / "top"
        Path(folder).chmod(0o755)
        seen = []
        for send in (by_real(EXIM), by_ours):
            prepare(top, scenario)
            send(top, scenario)
            seen.append(see(top, scenario))
    real, ours = seen
    assert ours.log == real.log
    assert ours.files == real.files
