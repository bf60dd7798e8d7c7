"""Names and users of clients, found as the real exim finds them (Exim 14: host_lookup, host_lookup_order, rfc1413_hosts)."""

from __future__ import annotations

import os

import pytest
from tests.oracle.flow import callers
from tests.oracle.flow.dialogue import with_both
from tests.oracle.flow.world import NoWorld
from tests.oracle.real_exim import MISSING, find_exim

EXIM = find_exim()
pytestmark = [
    pytest.mark.skipif(EXIM is None, reason=MISSING),
    pytest.mark.skipif(os.geteuid() != 0, reason="the real one believes -C of root only"),
]


@pytest.mark.parametrize("name", list(callers.scenarios()))
def test_as_the_real_one(name: str) -> None:
    assert EXIM is not None
    try:
        real, ours = with_both(callers.hold, callers.scenarios()[name], EXIM)
    except NoWorld as error:
        pytest.skip(str(error))
    assert ours.replies == real.replies
    assert ours.main == real.main
    assert ours.reject == real.reject
    assert ours.panic == real.panic
    assert ours.spool == real.spool
