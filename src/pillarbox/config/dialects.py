"""Which dialect a configuration is written in, and what it becomes."""

from __future__ import annotations

from collections.abc import Sequence

from pillarbox.config.exim4 import parse_exim4
from pillarbox.config.raw import Raw
from pillarbox.config.reader import RawLine, Reader


def parse(lines: Sequence[RawLine], reader: Reader) -> Raw:
    """Exim 3 is lowered to Exim 4 first, keeping the places of its lines."""
    if not _may_be_exim3(lines):
        return parse_exim4(lines, reader)
    from pillarbox.config.exim3.lower import lower
    from pillarbox.config.exim3.sections import is_exim3

    if not is_exim3(lines):
        return parse_exim4(lines, reader)
    lowered = lower(lines)
    raw = parse_exim4(lowered.lines, reader)
    raw.problems.extend((0, problem) for problem in lowered.problems)
    raw.notes.extend(lowered.notes)
    return raw


def _may_be_exim3(lines: Sequence[RawLine]) -> bool:
    """Its package is imported for its own configurations only."""
    return any(line.text == "end" for line in lines)
