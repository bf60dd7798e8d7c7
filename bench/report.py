"""Tables for people: one per scenario, medians, and how many times better or worse than the peers of the same run."""

import os
import platform
import time
from pathlib import Path

from bench.result import FIGURES, Cell, medians

SUBJECT = "pillarbox"


def machine() -> str:
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return f"{os.cpu_count()} × {model}, Linux {platform.release()}, Python {platform.python_version()}"


def markdown(cells: list[Cell], versions: dict[str, str], notes: list[str]) -> str:
    """The tables as docs/performance.md wants them."""
    parts = [f"Measured {time.strftime('%Y-%m-%d')} on {machine()}. {', '.join(versions.values())}."]
    parts += [f"- {note}" for note in notes]
    for scenario, servers in medians(cells).items():
        parts += ["", f"### {scenario}", "", table(servers)]
        comparison = ratios(servers)
        if comparison:
            parts += ["", comparison]
    troubles = [f"- {c.scenario}, {c.server}, round {c.round}: {c.trouble}" for c in cells if c.trouble]
    if troubles:
        parts += ["", "Not clean:", "", *troubles]
    return "\n".join(parts) + "\n"


def table(servers: dict[str, dict[str, float]]) -> str:
    names = [name for name in FIGURES if any(name in figures for figures in servers.values())]
    lines = ["| server | " + " | ".join(FIGURES[name].title for name in names) + " |"]
    lines.append("|---|" + "--:|" * len(names))
    for server, figures in servers.items():
        values = [f"{figures[name]:,.{FIGURES[name].digits}f}" if name in figures else "–" for name in names]
        lines.append(f"| {server} | " + " | ".join(values) + " |")
    return "\n".join(lines)


def ratios(servers: dict[str, dict[str, float]]) -> str:
    """`pillarbox ÷ peer` (and `pillarbox-debian ÷ peer`) for each figure both have; for CPU, latency and memory less than 1 is better."""
    return "  \n".join(
        comparison(name, ours, peer, theirs)
        for name, ours in servers.items()
        if name.startswith(SUBJECT) and ours
        for peer, theirs in servers.items()
        if not peer.startswith(SUBJECT)
    )


def comparison(name: str, ours: dict[str, float], peer: str, theirs: dict[str, float]) -> str:
    parts = [
        f"{FIGURES[figure].title} {ours[figure] / theirs[figure]:.2f}×"
        for figure in FIGURES
        if FIGURES[figure].more_is_better is not None and figure in ours and theirs.get(figure)
    ]
    return f"{name} ÷ {peer}: {', '.join(parts)}."
