"""What strange clients are answered, and what the log says of them, beside the real Exim (see verb_matrix)."""

from __future__ import annotations

import os
from collections.abc import Iterable

import pytest
from tests.oracle.flow import verb_matrix
from tests.oracle.flow.dialogue import with_both
from tests.oracle.real_exim import MISSING, find_exim

EXIM = find_exim()
pytestmark = [
    pytest.mark.skipif(not os.environ.get("PILLARBOX_LONG"), reason="PILLARBOX_LONG=1 runs it"),
    pytest.mark.skipif(EXIM is None, reason=MISSING),
    pytest.mark.skipif(os.geteuid() != 0, reason="the real one believes -C of root only"),
]
BATCHES = {batch.name: batch for batch in verb_matrix.batches()}
REPLIES_ONLY = ("pipelined", "strict")
"""Batches whose log lines are not compared yet: those of what is pipelined show how much had come, and the C= of dropped sessions differs."""
NOT_YET = {"strict-one_by_one-0": "not yet: MAIL with a bad path beyond smtp_accept_max_per_connection"}


@pytest.mark.parametrize("name", list(BATCHES))
def test_as_the_real_one(name: str) -> None:
    assert EXIM is not None
    real, ours = with_both(verb_matrix.hold, BATCHES[name], EXIM)
    if name in NOT_YET:
        pytest.xfail(NOT_YET[name])
    assert ours.replies == real.replies
    if any(word in name for word in REPLIES_ONLY):
        return
    assert _told(ours.main) == _told(real.main)
    assert _told(ours.reject) == _told(real.reject)
    assert ours.panic == real.panic


def _told(lines: Iterable[str]) -> list[str]:
    """Exim sometimes has one line more of a session that it has dropped (docs/exim-compatibility.md, dropped-sessions)."""
    return [line for line in lines if not line.endswith(" lost D=TIME")]
