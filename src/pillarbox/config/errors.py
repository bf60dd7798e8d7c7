"""What is wrong with a configuration, said so that the administrator can mend it: place, text, reason, suggestion.

All problems of a configuration are collected before any is reported.
"""

from __future__ import annotations

from typing import NamedTuple


class Position(NamedTuple):
    """A place in a configuration file; lines count from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.file else "(built in)"


NOWHERE = Position("", 0)


class Problem(NamedTuple):
    file: str
    line: int
    text: str
    """The offending text as it stands in the file."""
    reason: str
    suggestion: str = ""

    def __str__(self) -> str:
        shown = f"\n    {self.text}" if self.text else ""
        hint = f"\n    {self.suggestion}" if self.suggestion else ""
        return f"{self.file}:{self.line}: {self.reason}{shown}{hint}"


class ConfigError(Exception):
    """The configuration cannot be used. `problems` in the order of the files."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class OptionError(Exception):
    """A value that an option cannot have; raised by kinds and by a driver's `__post_init__`. `str()` is the reason."""

    def __init__(self, reason: str, option: str = "", suggestion: str = "") -> None:
        super().__init__(reason)
        self.option = option
        self.suggestion = suggestion
