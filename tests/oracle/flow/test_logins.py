"""AUTH by each driver, and TLS, beside the real Exim's (chapters 33 to 43)."""

from __future__ import annotations

import os

import pytest
from tests.oracle.flow import logins
from tests.oracle.flow.dialogue import with_both
from tests.oracle.real_exim import MISSING, find_exim

EXIM = find_exim()
pytestmark = [
    pytest.mark.skipif(EXIM is None, reason=MISSING),
    pytest.mark.skipif(os.geteuid() != 0, reason="the real one believes -C of root only"),
]
OTHERWISE = {
    "conditions-host-longest-line": "logins",
    "dovecot-host-temporary": "logins",
    "dovecot-host-empty": "logins",
    "external-host-forced-no": "logins",
    "spa-host-broken": "logins",
    "spa-host-cancelled": "logins",
    "spa-host-cancelled-late": "logins",
    "spa-host-not-base64": "logins",
}
"""Scenario → the section of docs/exim-compatibility.md that says why."""


@pytest.mark.parametrize("name", list(logins.scenarios()))
def test_as_the_real_one(name: str) -> None:
    assert EXIM is not None
    real, ours = with_both(logins.hold, logins.scenarios()[name], EXIM)
    if name in OTHERWISE:
        pytest.xfail(OTHERWISE[name])
    assert ours == real
