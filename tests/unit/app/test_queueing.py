"""How many messages queue runs try at once."""

from __future__ import annotations

import pytest
from tests.support.configuration_texts import load_text

from pillarbox.app.configuration import declare_all, declare_bases
from pillarbox.app.queueing import MOST_PARALLEL, USUAL_PARALLEL, parallel_of, runner_limits
from pillarbox.language.nowhere import empty_scope

declare_all()
declare_bases()


@pytest.mark.parametrize(
    ("text", "queue", "parallel"),
    [
        ("", "", USUAL_PARALLEL),
        ("queue_run_max = 3", "", 3),
        ("queue_run_max = 0", "", MOST_PARALLEL),
        ("queue_run_max = ${if eq{$queue_name}{slow}{2}{7}}", "slow", 2),
        ("queue_run_max = ${if eq{$queue_name}{slow}{2}{7}}", "", 7),
    ],
)
def test_queue_run_max(text: str, queue: str, parallel: int) -> None:
    config = load_text(f"{text}\n")
    assert parallel_of(config, empty_scope().services, queue) == parallel


def test_a_command_takes_one_after_the_other() -> None:
    config = load_text("queue_run_max = 3\n")
    assert runner_limits(config, empty_scope().services, 60.0, is_alone=True).parallel == 1
