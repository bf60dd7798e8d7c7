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
    """0: it is about the whole file."""
    text: str
    """The offending text as it stands in the file."""
    reason: str
    """Exim's words where Exim finds it too."""
    suggestion: str = ""
    exim: str = ""
    """What Exim prints behind "Exim configuration error", where that is not the line, the file and the reason."""

    @property
    def exim_form(self) -> str:
        """As Exim prints it, without the time in front."""
        if self.exim:
            return f"Exim configuration error{self.exim}"
        if not self.line:
            return f"Exim configuration error:\n  {self.reason}"
        return f"Exim configuration error in line {self.line} of {self.file}:\n  {self.reason}"

    def __str__(self) -> str:
        shown = f"\n    {self.text}" if self.text else ""
        hint = f"\n    {self.suggestion}" if self.suggestion else ""
        return f"{self._where}{self.reason}{shown}{hint}"

    @property
    def _where(self) -> str:
        if self.line:
            return f"{self.file}:{self.line}: "
        return "" if self.file in self.reason else f"{self.file}: "


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


class CombinationError(OptionError):
    """Settings that do not go together, of which Exim speaks without a heading: the reason names the driver where it should."""


class EarlyError(OptionError):
    """A value that Exim finds wrong only when mail comes: told with its line. `within` is the part of the value that is meant."""

    def __init__(self, reason: str, option: str, within: str = "") -> None:
        super().__init__(reason, option)
        self.within = within


def printable(text: str) -> str:
    """As Exim shows text in messages: control characters and bytes that are not ASCII as `\\303`, `\\n`, `\\t`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(code) for code in text.encode("utf-8", "surrogateescape"))


def _shown(code: int) -> str:
    if 32 <= code < 127:
        return chr(code)
    return _NAMED.get(code) or f"\\{code:03o}"


_NAMED = {8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r"}
