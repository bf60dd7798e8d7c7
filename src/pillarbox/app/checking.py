"""`pillarbox config check`: everything that is wrong with a configuration, then what is suspicious, then what has no effect yet."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from pillarbox.app.configuration import load_config, mistakes
from pillarbox.config.errors import ConfigError, Problem
from pillarbox.config.model import Config
from pillarbox.flow.review.finding import review


def check_configuration(path: Path, *, is_strict: bool) -> int:
    """Prints. 0: it can be used; 1: it cannot (`is_strict`: or something is suspicious)."""
    try:
        config = load_config(path, serving=False)
    except ConfigError as error:
        return _refuse(path, error.problems)
    if wrong := mistakes(config):
        return _refuse(path, wrong)
    found = _tell(config)
    print(f"{path}: {_summary(config, found)}")
    return 1 if is_strict and found else 0


def _refuse(path: Path, problems: Sequence[Problem]) -> int:
    for problem in sorted(problems, key=lambda problem: (problem.file, problem.line)):
        print(problem, file=sys.stderr)
    count = len(problems)
    print(f"{path}: {count} problem{'s' if count > 1 else ''}: it cannot be used", file=sys.stderr)
    return 1


def _tell(config: Config) -> int:
    """How many things are suspicious."""
    count = 0
    for finding in review(config):
        print(f"warning: {finding}")
        count += 1
    for problem in config.unsupported:
        print(f"not yet: {problem}")
    for note in config.notes:
        print(f"note: {note}")
    return count


def _summary(config: Config, suspicious: int) -> str:
    parts = [f"{suspicious} warning{'s' if suspicious != 1 else ''}"] if suspicious else []
    if config.unsupported:
        parts.append(
            f"{len(config.unsupported)} settings that serving refuses, because they are not supported yet"
        )
    if config.notes:
        parts.append(f"{len(config.notes)} without effect")
    return f"it can be read: {', '.join(parts)}" if parts else "no problems found"
