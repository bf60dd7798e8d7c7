"""What one expansion may use up: each budget by name, and the count of steps and time.

Length of the source, nesting and output are fixed here. Steps, time and lookups come from a facet of the scope (`Budget`; main options
`expansion_max_steps`, `expansion_max_time`, `expansion_max_lookups`). Steps are counted inside loops only (`${map`, `forany`, …), where
alone work can multiply: text without loops costs what it is long, and pays nothing for this.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from pillarbox.language.expand.errors import ExpansionFailed

if TYPE_CHECKING:
    from pillarbox.language.expand.nodes import Evaluate, Test
    from pillarbox.language.expand.scope import Scope

MAX_SOURCE = 1024 * 1024
"""Characters of a string that is parsed."""
MAX_NESTING = 60
"""Items in items in items; each condition counts too."""
MAX_OUTPUT = 8 * 1024 * 1024
"""Characters of any intermediate or final result."""


class Budget(NamedTuple):
    """Of one expansion."""

    steps: int = 1_000_000
    """Items, operators and conditions evaluated inside loops."""
    seconds: float = 10.0
    """Of evaluation inside a loop; waiting for lookups and the DNS does not count."""
    lookups: int = 200
    """Lookups and DNS queries that one expansion or list match may need to wait for."""


DEFAULT_BUDGET = Budget()


class Meter:
    """Counts down for one outermost loop."""

    __slots__ = ("_budget", "_ends", "_left")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._left = budget.steps
        self._ends = perf_counter() + budget.seconds

    def step(self) -> None:
        """Raises ExpansionFailed when steps or time are used up."""
        self._left -= 1
        if self._left < 0:
            raise ExpansionFailed(
                f"an expansion takes more than {self._budget.steps} steps (expansion_max_steps)"
            )
        if not self._left & 63 and perf_counter() > self._ends:
            raise ExpansionFailed(
                f"an expansion takes longer than {self._budget.seconds:g} seconds (expansion_max_time)"
            )


def budget_of(scope: Scope) -> Budget:
    return scope.facet(Budget) or DEFAULT_BUDGET


def metered(evaluate: Evaluate) -> Evaluate:
    """For a piece that loops: the outermost one brings the meter, one inside another counts as a step."""

    def evaluate_metered(scope: Scope) -> str:
        if scope.meter is not None:
            scope.meter.step()
            return evaluate(scope)
        scope.meter = Meter(budget_of(scope))
        try:
            return evaluate(scope)
        finally:
            scope.meter = None

    return evaluate_metered


def metered_test(test: Test) -> Test:
    """The same for a condition that loops."""

    def test_metered(scope: Scope) -> bool:
        if scope.meter is not None:
            scope.meter.step()
            return test(scope)
        scope.meter = Meter(budget_of(scope))
        try:
            return test(scope)
        finally:
            scope.meter = None

    return test_metered


def counted(evaluate: Evaluate) -> Evaluate:
    """For a piece inside a loop: each evaluation is a step."""

    def evaluate_counted(scope: Scope) -> str:
        if scope.meter is not None:
            scope.meter.step()
        return evaluate(scope)

    return evaluate_counted
