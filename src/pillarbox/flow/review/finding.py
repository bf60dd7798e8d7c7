"""What a check found, and the register of checks."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import NamedTuple

from pillarbox.config.errors import Position
from pillarbox.config.model import Config


class Finding(NamedTuple):
    position: Position
    text: str
    """What stands there; empty when the place says enough."""
    mark: int
    """Where in the text the trouble begins, in characters; -1: all of it."""
    reason: str
    advice: str = ""

    def __str__(self) -> str:
        lines = [f"{self.position}: {self.reason}"]
        if self.text:
            shown, at = _window(self.text, self.mark)
            lines.append(f"    {shown}")
            if self.mark >= 0:
                lines.append(f"    {' ' * at}^")
        if self.advice:
            lines.append(f"    {self.advice}")
        return "\n".join(lines)


_WIDTH = 100


def _window(text: str, mark: int) -> tuple[str, int]:
    """So much of the text that the marked place is seen, on one line, and where it is there."""
    flat = text.replace("\n", " ").replace("\t", " ")
    if len(flat) <= _WIDTH:
        return flat, max(mark, 0)
    start = max(0, min(mark - _WIDTH // 3, len(flat) - _WIDTH))
    head = "… " if start else ""
    tail = " …" if start + _WIDTH < len(flat) else ""
    return f"{head}{flat[start : start + _WIDTH]}{tail}", max(mark, 0) - start + len(head)


Check = Callable[[Config], Iterable[Finding]]
CHECKS: dict[str, Check] = {}


def check(name: str) -> Callable[[Check], Check]:
    """Declare a check."""

    def register(function: Check) -> Check:
        CHECKS[name] = function
        return function

    return register


@cache
def load_checks() -> None:
    package = importlib.import_module("pillarbox.flow.review.checks")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")


def review(config: Config) -> Iterator[Finding]:
    """Findings of all checks, in the order of the lines."""
    load_checks()
    found = [finding for run in CHECKS.values() for finding in run(config)]
    yield from sorted(set(found), key=lambda finding: (finding.position, finding.mark, finding.reason))
