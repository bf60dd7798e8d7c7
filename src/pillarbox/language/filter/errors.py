"""What can go wrong with a filter."""

from __future__ import annotations


class FilterSyntaxError(Exception):
    """The file is no valid filter. `message` is Exim's, line number included; `line` counts from 1."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class FilterFailed(Exception):
    """A command or a condition cannot be obeyed; `str()` says why, in Exim's words."""
