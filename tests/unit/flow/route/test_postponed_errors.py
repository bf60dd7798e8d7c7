"""What the retry hints and rules are told of routing that was postponed."""

from __future__ import annotations

import pytest

from pillarbox.cli.tools.hints_files import Entry
from pillarbox.language.retry.errors import covers


@pytest.mark.parametrize(
    ("error", "number"),
    [
        ("lookup", -32),
        ("dns", -36),
        ("missing_mx", -55),
        ("redirect_data", -17),
        ("expansion", -1),
        ("routing", -53),
    ],
)
def test_each_kind_has_exims_number(error: str, number: int) -> None:
    assert Entry("R:a.test", 0.0, 0.0, 0.0, False, error, "").number == number


def test_a_lookup_rule_is_for_hosts_that_routes_name() -> None:
    assert covers("lookup", "lookup", "")
    assert not any(covers("lookup", other, "") for other in ("dns", "missing_mx", "redirect_data", "routing"))
