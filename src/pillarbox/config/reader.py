"""Files → logical lines that remember where they come from (Exim 6.2 to 6.7).

Done here: comments, blank lines, continuations, `.include` and `.include_if_exists`, `.ifdef` … `.endif`, macro definitions and their
substitution. Each logical line keeps file and number of its first physical line. Problems are collected, reading goes on.

Bounded: depth of includes, length of a logical line, number of lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from pillarbox.config.errors import ConfigError, Position, Problem

_MAX_INCLUDES = 20
_MAX_LINE = 1024 * 1024
_MAX_LINES = 500_000

_MACRO = re.compile(r"([A-Z]\w*)\s*(==?)\s*(.*)", re.DOTALL)
_MACRO_NAME = re.compile(r"_?[A-Z]\w*")
_INCLUDE = re.compile(r"\.include(_if_exists)?\s+(.+)")
_CONDITIONAL = re.compile(r"\.(ifdef|ifndef|elifdef|elifndef|else|endif)\b\s*(.*)")


class RawLine(NamedTuple):
    """A logical line, macros replaced, outer white space removed."""

    text: str
    position: Position


class _Branch:
    """One open `.ifdef`."""

    __slots__ = ("is_live", "position", "was_taken")

    def __init__(self, is_live: bool, position: Position) -> None:
        self.is_live = is_live
        self.was_taken = is_live
        self.position = position


class Reader:
    """Reads one configuration. `macros` given by the caller (`-D`) win over definitions in the file."""

    def __init__(self, macros: Mapping[str, str] | None = None) -> None:
        self.macros: dict[str, str] = dict(macros or {})
        self._given = frozenset(self.macros)
        self.lines: list[RawLine] = []
        self.problems: list[Problem] = []
        self._branches: list[_Branch] = []
        self._count = 0

    def read(self, path: Path) -> list[RawLine]:
        """Raises ConfigError."""
        self._file(path, Position(str(path), 0))
        for branch in self._branches:
            self._complain(branch.position, "", ".endif is missing for this .ifdef or .ifndef")
        if self.problems:
            raise ConfigError(tuple(self.problems))
        return self.lines

    def read_text(self, text: str, name: str = "configuration") -> list[RawLine]:
        """The same for a text in memory; `name` stands for the file. Raises ConfigError."""
        self._physical(name, text.splitlines(), 0)
        for branch in self._branches:
            self._complain(branch.position, "", ".endif is missing for this .ifdef or .ifndef")
        if self.problems:
            raise ConfigError(tuple(self.problems))
        return self.lines

    def _complain(self, position: Position, text: str, reason: str, suggestion: str = "") -> None:
        self.problems.append(Problem(position.file, position.line, text[:200], reason, suggestion))

    def _file(self, path: Path, asked: Position, depth: int = 0) -> None:
        try:
            content = path.read_bytes().decode("utf-8", "surrogateescape")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            self._complain(asked, "", f"cannot read {path}: {reason}")
            return
        self._physical(str(path), content.split("\n"), depth)

    def _physical(self, name: str, lines: Iterable[str], depth: int) -> None:
        held = ""
        start = 0
        for number, raw in enumerate(lines, 1):
            self._count += 1
            if self._count > _MAX_LINES:
                self._complain(Position(name, number), "", f"more than {_MAX_LINES} lines")
                return
            line = raw.strip()
            if not line or line.startswith("#"):
                continue
            start = start or number
            if line.endswith("\\"):
                held += line[:-1]
                if len(held) > _MAX_LINE:
                    self._complain(Position(name, start), held, f"a line exceeds {_MAX_LINE} characters")
                    return
                continue
            self._logical(held + line, Position(name, start), depth)
            held, start = "", 0
        if held:
            self._logical(held, Position(name, start), depth)

    def _logical(self, line: str, position: Position, depth: int) -> None:
        if conditional := _CONDITIONAL.match(line):
            self._conditional(conditional.group(1), conditional.group(2), position)
            return
        if self._branches and not all(branch.is_live for branch in self._branches):
            return
        if line.startswith(".include"):
            self._include(line, position, depth)
            return
        if definition := _MACRO.fullmatch(line):
            name, equals, value = definition.groups()
            self._define(name, equals, value, RawLine(line, position))
            return
        text = self._substitute(line, position)
        self.lines.append(RawLine(text.strip(), position))

    # Directives

    def _include(self, line: str, position: Position, depth: int) -> None:
        found = _INCLUDE.fullmatch(self._substitute(line, position))
        if not found:
            self._complain(position, line, ".include needs a file name")
            return
        path = Path(found.group(2).strip().strip('"'))
        if not path.is_absolute():
            self._complain(position, line, ".include specifies a non-absolute path")
        elif depth >= _MAX_INCLUDES:
            self._complain(position, line, f".include is nested more than {_MAX_INCLUDES} deep")
        elif not found.group(1) or path.exists():
            self._file(path, position, depth + 1)

    def _conditional(self, word: str, rest: str, position: Position) -> None:
        if word in ("ifdef", "ifndef"):
            self._branches.append(_Branch(self._is_defined(rest) == (word == "ifdef"), position))
            return
        if not self._branches:
            self._complain(position, f".{word}", f".{word} without .ifdef or .ifndef")
            return
        branch = self._branches[-1]
        if word == "endif":
            self._branches.pop()
        elif word == "else":
            branch.is_live = not branch.was_taken
            branch.was_taken = True
        else:
            holds = self._is_defined(rest) == (word == "elifdef")
            branch.is_live = holds and not branch.was_taken
            branch.was_taken = branch.was_taken or branch.is_live

    def _is_defined(self, rest: str) -> bool:
        """Whether the text holds any macro's name (Exim 6.5)."""
        return any(name in rest for name in self.macros)

    # Macros

    def _define(self, name: str, equals: str, value: str, where: RawLine) -> None:
        line, position = where
        if name in self._given:
            return
        is_known = name in self.macros
        if is_known and equals == "=":
            self._complain(position, line, f'macro "{name}" is already defined', "use == to redefine it")
        elif not is_known and equals == "==":
            self._complain(position, line, f'macro "{name}" is not defined: can\'t redefine it')
        elif not is_known and (holder := next((known for known in self.macros if known in name), None)):
            self._complain(
                position,
                line,
                f'"{name}" cannot be defined as a macro: "{holder}" is one and part of its name',
            )
        else:
            self.macros[name] = self._substitute(value, position)

    def _substitute(self, line: str, position: Position) -> str:
        """Each macro in the order of definition, so that later ones are seen in the text of earlier ones."""
        for name, value in self.macros.items():
            count = line.count(name)
            if not count:
                continue
            if len(line) + count * len(value) > _MAX_LINE:
                self._complain(
                    position, line, f"a line exceeds {_MAX_LINE} characters after macros are replaced"
                )
                return ""
            line = line.replace(name, value)
        return line
