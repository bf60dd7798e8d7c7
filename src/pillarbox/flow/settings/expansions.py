"""What one expansion may use up (Pillarbox's own; see `language.expand.budget`)."""

from __future__ import annotations

from pillarbox.config.declare import MainOptions, option
from pillarbox.config.errors import OptionError
from pillarbox.config.kinds import Duration
from pillarbox.language.expand.budget import DEFAULT_BUDGET, Budget


class ExpansionLimits(MainOptions):
    """What one expansion may use up."""

    expansion_max_steps: int = option(
        default=DEFAULT_BUDGET.steps,
        doc="Steps inside the loops of one expansion; more fail it.",
        extension=True,
    )
    expansion_max_time: Duration = option(
        default="10s",
        doc="Time that the loops of one expansion may take, waiting not counted.",
        extension=True,
    )
    expansion_max_lookups: int = option(
        default=DEFAULT_BUDGET.lookups,
        doc="Lookups that one expansion or list may wait for.",
        extension=True,
    )

    def __post_init__(self) -> None:
        for name in ("expansion_max_steps", "expansion_max_time", "expansion_max_lookups"):
            if getattr(self, name) <= 0:
                raise OptionError(f"{name} must be more than zero", name)

    @property
    def budget(self) -> Budget:
        return Budget(self.expansion_max_steps, float(self.expansion_max_time), self.expansion_max_lookups)
