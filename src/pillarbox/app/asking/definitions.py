"""Lines of `-be` that define something: macros, and ACL variables by `set` (Exim 5.3).

Macros are replaced in every line first. Those of the configuration are for administrators: secrets are kept in them.
"""

from __future__ import annotations

import re

from pillarbox.app.asking.caller import is_admin, owns_queue
from pillarbox.app.asking.loading import stamped
from pillarbox.app.configuration import builtin_macros
from pillarbox.config.macros import Macros
from pillarbox.config.model import Config

_SET = re.compile(r"set(,t)? (.*)", re.DOTALL)
_ASSIGNMENT = re.compile(r"(acl_[cm])(\w*)\s*(=?)\s*(.*)", re.DOTALL | re.ASCII)


class Answered(Exception):
    """There is nothing to expand: a macro is defined, or the line is no good; `str()` says it. `is_complaint`: on standard error."""

    def __init__(self, text: str, *, is_complaint: bool = False) -> None:
        super().__init__(text)
        self.is_complaint = is_complaint


class Assignment:
    """`set acl_m0 = …`."""

    __slots__ = ("is_tainted", "name", "value")

    def __init__(self, name: str, value: str, *, is_tainted: bool) -> None:
        self.name = name
        """`acl_m0`."""
        self.value = value
        """To be expanded."""
        self.is_tainted = is_tainted


class Definitions:
    """What has been defined so far."""

    def __init__(self, config: Config, place: str) -> None:
        """`place`: where lines come from, for complaints."""
        own = Macros({}, builtin_macros())
        may_see = config.raw.macro_table is not None and (is_admin(config) or owns_queue(config))
        self._macros = config.raw.macro_table if may_see and config.raw.macro_table else own
        self._place = place
        self._count = 0

    def take(self, line: str) -> str | Assignment:
        """The text to expand, or what is to be set. Raises Answered when that was all."""
        self._count += 1
        if not line:
            return line
        line = self._macros.replace(line)
        if "A" <= line[:1] <= "Z":
            raise self._defined(line)
        found = _SET.fullmatch(line)
        return line if found is None else _assignment(line, found)

    def _defined(self, line: str) -> Answered:
        problem = self._macros.define(line)
        if not problem:
            name = line.partition("=")[0].strip()
            return Answered(f"Defined macro '{name}'")
        if problem == "malformed macro definition":
            head = f"Exim configuration error in line {self._count} of {self._place}:"
            return Answered(stamped(f'{head}\n  {problem} "{line}"'), is_complaint=True)
        return Answered(stamped(f"Exim configuration error:\n  {problem}"), is_complaint=True)


def _assignment(line: str, found: re.Match[str]) -> Assignment:
    """Raises Answered."""
    head = f'invalid variable name after "set" in ACL modifier "{line}"'
    parts = _ASSIGNMENT.fullmatch(found[2])
    if parts is None:
        raise Answered(f'{head} (must start "acl_c" or "acl_m")')
    if not (parts[2][:1].isdigit() or parts[2][:1] == "_"):
        raise Answered(f"{head} (digit or underscore must follow acl_c or acl_m)")
    if not parts[3]:
        raise Answered('"=" missing after ACL "\'-be\'" modifier')
    return Assignment(parts[1] + parts[2], parts[4], is_tainted=bool(found[1]))
