"""What one measurement yields, and the middle of several."""

from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True)
class Cell:
    """One scenario, server and round. `figures` by name: see FIGURES; a figure that was not taken is absent."""

    scenario: str
    server: str
    round: int
    figures: dict[str, float] = field(default_factory=dict)
    trouble: str = ""
    """Empty when every message was accounted for."""


@dataclass(frozen=True)
class Figure:
    title: str
    digits: int
    more_is_better: bool | None
    """None: no ratio is shown."""


FIGURES = {
    "rate": Figure("msg/s", 0, True),
    "cpu_ms": Figure("CPU ms/msg", 2, False),
    "p50_ms": Figure("p50 ms", 1, False),
    "p99_ms": Figure("p99 ms", 1, False),
    "memory_mb": Figure("peak MB", 1, False),
    "delivered": Figure("delivered", 0, None),
    "accept_rate": Figure("accepted/s", 0, None),
    "generator_cpu_ms": Figure("generator CPU ms/msg", 2, None),
    "kb_each": Figure("KB/connection", 1, False),
    "mailq_first_s": Figure("mailq first line s", 3, False),
    "mailq_all_s": Figure("mailq whole s", 2, False),
    "mailq_mb": Figure("mailq peak MB", 1, False),
    "ready_s": Figure("start s", 2, None),
    "empty_rate": Figure("msg/s, queue empty", 0, True),
    "full_rate": Figure("msg/s, queue full", 0, True),
    "connects": Figure("connects", 0, False),
    "over_base_mb": Figure("MB over empty", 1, False),
    "kept": Figure("full/empty", 2, True),
}


def medians(cells: list[Cell]) -> dict[str, dict[str, dict[str, float]]]:
    """scenario → server → figure → median over the rounds."""
    gathered: dict[str, dict[str, dict[str, list[float]]]] = {}
    for cell in cells:
        place = gathered.setdefault(cell.scenario, {}).setdefault(cell.server, {})
        for name, value in cell.figures.items():
            place.setdefault(name, []).append(value)
    return {
        scenario: {
            server: {name: median(values) for name, values in figures.items()}
            for server, figures in servers.items()
        }
        for scenario, servers in gathered.items()
    }
