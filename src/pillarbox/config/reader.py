"""Files → logical lines that remember where they come from (Exim 6.2 to 6.10).

Everything here happens to physical lines, in Exim's order: macros are replaced; `.ifdef` … `.endif` and `.include` are obeyed, also in
the middle of a continued line; comments go; a backslash at the end joins the next line. Macro definitions are taken where the file may
have them: in the main section, and between drivers and ACLs. Problems are collected in Exim's words, reading goes on.

Bounded: depth of includes, length of a logical line, number of lines.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pillarbox.config.builtin import BuiltinMacros
from pillarbox.config.errors import NOWHERE, Position, Problem, printable
from pillarbox.config.macros import Macros

_MAX_INCLUDES = 20
_MAX_LINE = 1024 * 1024
_BYTE_ORDER_MARK = "\ufeff"
_MAX_LINES = 500_000

_INCLUDE = re.compile(r"\.include(?P<if_exists>_if_exists)?(?:$|\s(?P<name>.*))", re.DOTALL)
_CONDITIONAL = re.compile(r"\.(ifdef|ifndef|elifdef|elifndef|else|endif)(?:$|[^A-Za-z0-9_])")
_BEGIN = re.compile(r"begin +(\S.*)", re.IGNORECASE | re.DOTALL)
_BOUNDED_DEFINITION = re.compile(r"[A-Z]\w*\s*=", re.ASCII)
_SECTIONS_WITH_MACROS = frozenset(["acl", "routers", "transports", "authenticators"])


class RawLine(NamedTuple):
    """A logical line, macros replaced, outer white space removed. Empty text: a driver or ACL ends here, since a macro was defined."""

    text: str
    position: Position
    """Of its first physical line."""
    end: Position = NOWHERE
    """Of its last one, which is where Exim says an error is."""


class _Branch:
    """One open `.ifdef`."""

    __slots__ = ("is_live", "is_outer_live", "was_taken")

    def __init__(self, is_outer_live: bool, holds: bool) -> None:
        self.is_outer_live = is_outer_live
        self.is_live = is_outer_live and holds
        self.was_taken = holds


class Reader:
    """Reads one configuration. `macros` given by the caller (`-D`) win over definitions in the file."""

    def __init__(self, macros: Mapping[str, str] | None = None, builtin: BuiltinMacros | None = None) -> None:
        self.macros = Macros(macros or {}, builtin or BuiltinMacros())
        self.lines: list[RawLine] = []
        self.problems: list[tuple[int, Problem]] = []
        """With the number of logical lines that came before."""
        self.listing: list[str] = []
        """What was read, as `-bP config` prints it: macro definitions too, and where each file begins."""
        self._branches: list[_Branch] = []
        self._count = 0
        self._section = ""
        self._held = ""
        self._is_continued = False
        self._start = NOWHERE
        self._here = NOWHERE

    def read(self, path: Path) -> list[RawLine]:
        """Never raises: `problems` has what is wrong, an unreadable file too."""
        name = str(path)
        try:
            content = path.read_bytes()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            self._complain("", f"cannot read {path}: {reason}", Position(name, 0))
            return self.lines
        return self.read_text(_text(content), name)

    def read_text(self, text: str, name: str = "configuration") -> list[RawLine]:
        """The same for a text in memory; `name` stands for the file."""
        self._here = Position(name, 0)
        self._enter(Position(name, 1))
        self._physical(name, text, 0)
        self._finish_line()
        if self._branches:
            last = Position(name, text.count("\n") + (not text.endswith("\n") and text != ""))
            self._complain("", "Unexpected end of configuration file: .endif missing", last)
        return self.lines

    def _complain(
        self,
        text: str,
        reason: str,
        position: Position | None = None,
        exim: str = "",
        suggestion: str = "",
    ) -> None:
        place = position or self._here
        problem = Problem(place.file, place.line, text[:200], reason, suggestion, exim)
        self.problems.append((len(self.lines), problem))

    # Physical lines

    def _physical(self, name: str, content: str, depth: int) -> None:
        lines = content.split("\n")
        if lines and not lines[-1]:
            lines.pop()
        for number, raw in enumerate(lines, 1):
            self._count += 1
            self._here = Position(name, number)
            if self._count > _MAX_LINES:
                self._complain("", f"more than {_MAX_LINES} lines")
                return
            if number == 1 and raw.startswith(_BYTE_ORDER_MARK):
                self._complain("", "found unexpected BOM (Byte Order Mark)")
                raw = raw.removeprefix(_BYTE_ORDER_MARK)
            self._line(raw.strip(), depth)

    def _line(self, line: str, depth: int) -> None:
        line, was_replaced = self._replace(line)
        if line.startswith("."):
            if conditional := _CONDITIONAL.match(line):
                self._conditional(conditional.group(1), was_replaced)
                return
            if (included := _INCLUDE.match(line)) and self._is_live():
                self._include(included["name"] or "", included["if_exists"] is not None, line, depth)
                return
        if not self._is_live() or line.startswith("#"):
            return
        if not line:
            self._finish_line()
            return
        self._append(line)

    def _replace(self, line: str) -> tuple[str, bool]:
        if not line or line[0] == "#":
            return line, False
        replaced = self.macros.replace(line, is_start=not self._is_continued)
        if replaced is line:
            return line, False
        if len(replaced) > _MAX_LINE:
            self._complain(line, f"a line exceeds {_MAX_LINE} characters after macros are replaced")
            return "", True
        return replaced.strip(), True

    def _is_live(self) -> bool:
        return not self._branches or self._branches[-1].is_live

    def _append(self, line: str) -> None:
        if not self._is_continued:
            self._start = self._here
        if not line.endswith("\\"):
            text, self._held, self._is_continued = self._held + line, "", False
            self._logical(text.strip())
            return
        self._held += line[:-1]
        self._is_continued = True
        if len(self._held) > _MAX_LINE:
            self._complain(self._held, f"a line exceeds {_MAX_LINE} characters", self._start)
            self._held = ""

    def _finish_line(self) -> None:
        """A blank line or the end of the file ends a continued line."""
        if self._is_continued:
            text, self._held, self._is_continued = self._held, "", False
            self._logical(text.strip())

    # Directives

    def _include(self, written: str, if_exists: bool, line: str, depth: int) -> None:
        name = written.strip()
        if len(name) >= 2 and name[0] == name[-1] == '"':
            name = name[1:-1]
        if if_exists and not name.startswith("/"):
            self._complain(line, f'.include specifies a non-absolute path "{name}"')
            return
        asked = self._here
        path = name if name.startswith("/") else f"{asked.file.rpartition('/')[0] or '.'}/{name}"
        if if_exists and not _is_seen(path):
            return
        try:
            content = b"" if Path(path).is_dir() else Path(path).read_bytes()
        except (OSError, ValueError):
            self._complain(line, f"failed to open included configuration file {path}")
            return
        if depth >= _MAX_INCLUDES:
            self._complain(
                line,
                f"failed to open included configuration file {path}",
                suggestion=f".include is nested more than {_MAX_INCLUDES} deep",
            )
            return
        self._enter(asked)
        self._enter(Position(path, 1))
        self._physical(path, _text(content), depth + 1)
        self._enter(asked)
        self._here = asked

    def _enter(self, place: Position) -> None:
        self.listing.append(f'# {place.line} "{place.file}"')

    def _conditional(self, word: str, holds: bool) -> None:
        """`holds`: a macro was replaced in the line."""
        if word in ("ifdef", "ifndef"):
            self._branches.append(_Branch(self._is_live(), holds == (word == "ifdef")))
            return
        if not self._branches:
            self._complain(f".{word}", f".{word} without matching .ifdef")
            return
        branch = self._branches[-1]
        if word == "endif":
            self._branches.pop()
            return
        holds = word == "else" or holds == (word == "elifdef")
        branch.is_live = branch.is_outer_live and holds and not branch.was_taken
        branch.was_taken = branch.was_taken or holds

    # Logical lines

    def _logical(self, text: str) -> None:
        self.listing.append(text)
        if begin := _BEGIN.fullmatch(text):
            self._section = begin.group(1).lower()
        elif self._may_define() and self._is_definition(text):
            self._define(text)
            if self._section:
                self.lines.append(RawLine("", self._start, self._here))
            return
        self.lines.append(RawLine(text, self._start, self._here))

    def _may_define(self) -> bool:
        return not self._section or self._section in _SECTIONS_WITH_MACROS

    def _is_definition(self, text: str) -> bool:
        if not "A" <= text[:1] <= "Z":
            return False
        return not self._section or _BOUNDED_DEFINITION.match(text) is not None

    def _define(self, text: str) -> None:
        trouble = self.macros.define(text)
        if trouble:
            is_malformed = trouble.startswith("malformed")
            exim = "" if is_malformed else f":\n  {trouble}"
            shown = f'{trouble} "{printable(text)}"' if is_malformed else trouble
            self._complain(text, shown, self._start, exim or _in_line(self._here, shown))


def _in_line(place: Position, reason: str) -> str:
    return f" in line {place.line} of {place.file}:\n  {reason}"


def _is_seen(path: str) -> bool:
    """False also for what we may not look at, as Exim passes it over."""
    try:
        Path(path).stat()
    except (OSError, ValueError):
        return False
    return True


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")
