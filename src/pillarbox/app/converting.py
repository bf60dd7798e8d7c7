"""`pillarbox config convert`: an Exim 3 configuration as Exim 4 text."""

from __future__ import annotations

import sys
from pathlib import Path

from pillarbox.config.exim3.lower import lower
from pillarbox.config.exim3.sections import is_exim3
from pillarbox.config.exim3.show import show_exim4
from pillarbox.config.reader import Reader


def convert(path: Path, output: Path | None) -> int:
    """Prints, or writes `output`, which must not be there yet. 0: converted, 1: it cannot be."""
    reader = Reader()
    lines = reader.read(path)
    if not lines and reader.problems:
        print(reader.problems[0][1], file=sys.stderr)
        return 1
    if not is_exim3(lines):
        print(f"{path}: this is no Exim 3 configuration: no section is ended by `end`", file=sys.stderr)
        return 1
    lowered = lower(lines)
    problems = [problem for _, problem in reader.problems] + lowered.problems
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        return 1
    text = "\n".join(show_exim4(lowered.lines, lowered.notes, str(path))) + "\n"
    return _put(text, output)


def _put(text: str, output: Path | None) -> int:
    if output is None:
        sys.stdout.write(text)
        return 0
    try:
        with output.open("x", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
    except OSError as error:
        print(f"{output}: {error.strerror}", file=sys.stderr)
        return 1
    return 0
