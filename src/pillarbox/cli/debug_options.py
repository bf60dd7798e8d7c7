"""`-d…`: what is told of decisions (Exim 5.3). Names of categories are checked, but all of them tell the same: see docs/commands.md."""

from __future__ import annotations

import re

from pillarbox.cli.arguments import Arguments, Usage
from pillarbox.cli.handles import Words
from pillarbox.config.debug_selectors import SelectorMistake, read_selectors

_TRIGGERS = re.compile(r"p?\d*(?:t=\d+)?")


def debug(attached: str, rest: Words, read: Arguments, word: str) -> None:
    """`-d`, `-dd`, `-dS`, `-d+name-name`, `-d=number`. `-dp` and `-dt=` set up a buffer that nothing here fills."""
    if attached[:1] in ("p", "t") and _TRIGGERS.fullmatch(attached):
        return
    selectors = attached.removeprefix("d").removeprefix("S")
    read.debug = selectors if selectors.startswith("=") else _chosen(selectors)


def _chosen(selectors: str) -> str | None:
    """None: `-d-all` leaves nothing to tell."""
    try:
        found = read_selectors(selectors)
    except SelectorMistake as mistake:
        raise Usage(str(mistake)) from None
    return None if found and found[-1] == (False, "all") else selectors
