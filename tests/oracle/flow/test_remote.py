"""Deliveries to other hosts beside the real Exim's (remote.py says what is compared)."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from tests.oracle.flow import dovecot, remote
from tests.oracle.flow.sink import PROGRAM
from tests.oracle.flow.world import NoWorld
from tests.oracle.real_exim import MISSING, find_exim

EXIM = find_exim()
pytestmark = [
    pytest.mark.skipif(EXIM is None, reason=MISSING),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can have a network of its own"),
]


@pytest.mark.parametrize("name", list(remote.scenarios()))
def test_as_the_real_one(name: str) -> None:
    assert EXIM is not None
    scenario = remote.scenarios()[name]
    if any(script[0].startswith("sink") for script in scenario.hosts.values()) and not PROGRAM.exists():
        pytest.skip("no smtp-sink: see tools/peers")
    if ["dovecot"] in scenario.hosts.values() and not dovecot.PROGRAM.exists():
        pytest.skip(dovecot.MISSING)
    with tempfile.TemporaryDirectory(prefix="pillarbox-remote-") as folder:
        Path(folder).chmod(0o755)
        top = Path(folder) / "top"
        try:
            real = remote.by_real(EXIM, top, scenario)
        except NoWorld as reason:
            pytest.skip(f"no namespaces here: {reason}")
        ours = remote.by_ours(top, scenario)
    if scenario.not_yet and remote.compared(ours, scenario) != remote.compared(real, scenario):
        pytest.xfail(scenario.not_yet)
    assert remote.compared(ours, scenario) == remote.compared(real, scenario)
