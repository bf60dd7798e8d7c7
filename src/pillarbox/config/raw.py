"""A configuration as it was written: sections and options with their places, nothing interpreted.

Every dialect is lowered to this; `build` makes the model of it.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from pillarbox.config.errors import NOWHERE, Position, Problem
from pillarbox.config.macros import Macros
from pillarbox.config.reader import RawLine
from pillarbox.language.match.named import ListKind


class RawOption(NamedTuple):
    """`name = value`; `value` is None for `name`, `no_name`, `not_name` on their own."""

    name: str
    value: str | None
    position: Position
    is_negated: bool = False
    is_hidden: bool = False
    """`hide`: -bP shows it to administrators only."""
    text: str = ""
    """The whole line, for messages."""
    rest: str = ""
    """What follows the name as written: booleans are read from this."""
    trouble: str = ""
    """What is wrong with the value, unless the option is a boolean, which has no quotes."""


class RawList(NamedTuple):
    kind: ListKind
    name: str
    source: str
    position: Position
    is_hidden: bool = False


class RawDriver(msgspec.Struct):
    """A router, transport or authenticator."""

    name: str
    position: Position
    options: list[RawOption] = msgspec.field(default_factory=list)


class RawAcl(msgspec.Struct):
    name: str
    position: Position
    lines: list[RawLine] = msgspec.field(default_factory=list)


class Raw(msgspec.Struct):
    main: list[RawOption] = msgspec.field(default_factory=list)
    lists: list[RawList] = msgspec.field(default_factory=list)
    acls: dict[str, RawAcl] = msgspec.field(default_factory=dict)
    routers: list[RawDriver] = msgspec.field(default_factory=list)
    transports: list[RawDriver] = msgspec.field(default_factory=list)
    authenticators: list[RawDriver] = msgspec.field(default_factory=list)
    retry: list[RawLine] = msgspec.field(default_factory=list)
    rewrite: list[RawLine] = msgspec.field(default_factory=list)
    macros: dict[str, str] = msgspec.field(default_factory=dict)
    """Those of the file and the command line, in order."""
    macro_table: Macros | None = None
    """With Exim's own: `-bP macros`."""
    position: Position = NOWHERE
    lines: list[RawLine] = msgspec.field(default_factory=list)
    """All of them in the order of reading, which is the order in which problems are told."""
    listing: list[str] = msgspec.field(default_factory=list)
    """Lines as read, macro definitions too, with `# 1 "file"` where an included file begins and ends: `-bP config`."""
    notes: list[Problem] = msgspec.field(default_factory=list)
    """Not wrong, but hardly what was meant."""
    problems: list[tuple[int, Problem]] = msgspec.field(default_factory=list)
    """Found so far, with the number of lines that came before."""
