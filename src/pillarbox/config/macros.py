"""Macros: text replaced before anything else is understood (Exim 6.4 to 6.9).

A line is scanned for each macro in the order of definition, so that later ones are seen in the text of earlier ones. Exim's own
(`config.builtin`) come before all others; their names begin with an underscore, which no other name may.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pillarbox.config.builtin import BuiltinMacros

_DEFINITION = re.compile(r"([A-Z]\w*)\s*(==?)\s*(.*)", re.DOTALL | re.ASCII)
_DEFINED_NAME = re.compile(r"[A-Z]\w*\s*(?==)", re.ASCII)
_MAX_GROWTH = 1024 * 1024


class Macros:
    """Those of one configuration."""

    def __init__(self, given: Mapping[str, str], builtin: BuiltinMacros) -> None:
        self.values: dict[str, str] = dict(given)
        """By name, in the order of definition."""
        self.builtin = builtin
        self._given = frozenset(given)

    def define(self, line: str) -> str:
        """`NAME = text` or `NAME == text`; the answer is what is wrong, in Exim's words, or empty."""
        found = _DEFINITION.fullmatch(line)
        if not found:
            return "malformed macro definition"
        name, equals, value = found.groups()
        if name in self._given:
            return ""
        is_known = name in self.values
        if is_known and equals == "=":
            return f'macro "{name}" is already defined (use "==" if you want to redefine it)'
        if not is_known and equals == "==":
            return f'can\'t redefine an undefined macro "{name}"'
        if not is_known and (part := next((known for known in self.values if known in name), None)):
            return f'"{name}" cannot be defined as a macro because previously defined macro "{part}" is a substring'
        self.values[name] = value.strip()
        return ""

    def replace(self, line: str, *, is_start: bool = True) -> str:
        """The line with every macro's name replaced; `line` itself when it has none. The name that a line defines stays."""
        if line.islower():
            return line
        if is_start and "A" <= line[0] <= "Z" and (name := _DEFINED_NAME.match(line)):
            return line[: name.end()] + self._replace(line[name.end() :])
        return self._replace(line)

    def _replace(self, line: str) -> str:
        if "_" in line:
            line = self.builtin.replace(line)
        for name, value in self.values.items():
            if name in line:
                if line.count(name) * len(value) > _MAX_GROWTH:
                    return line + " " * _MAX_GROWTH
                line = line.replace(name, value)
        return line

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """All of them, Exim's own first."""
        yield from self.builtin.all()
        yield from self.values.items()
