"""`-d…`: what is told of decisions (Exim 5.3). Names of categories are checked, but all of them tell the same: see docs/commands.md."""

from __future__ import annotations

import re

from pillarbox.cli.arguments import Arguments, Usage
from pillarbox.cli.handles import Words

SELECTORS = frozenset(
    (
        "acl", "all", "any", "auth", "deliver", "dns", "dnsbl", "exec", "expand", "filter", "hints_lookup", "host_lookup", "ident",
        "interface", "lists", "load", "local_scan", "lookup", "macro", "memory", "noutf8", "pid", "process_info", "queue_run", "receive",
        "regex", "resolver", "retry", "rewrite", "route", "start", "timestamp", "tls", "transport", "uid", "verify",
    )
)  # fmt: skip
_TRIGGERS = re.compile(r"p?\d*(?:t=\d+)?")
_NAME = re.compile(r"([+-])(\w*)", re.ASCII)


def debug(attached: str, rest: Words, read: Arguments, word: str) -> None:
    """`-d`, `-dd`, `-dS`, `-d+name-name`, `-d=number`. `-dp` and `-dt=` set up a buffer that nothing here fills."""
    if attached[:1] in ("p", "t") and _TRIGGERS.fullmatch(attached):
        return
    selectors = attached.removeprefix("d").removeprefix("S")
    read.debug = selectors if selectors.startswith("=") else _chosen(selectors)


def _chosen(selectors: str) -> str | None:
    """None: `-d-all` leaves nothing to tell."""
    chosen: str | None = selectors
    position = 0
    while position < len(selectors):
        found = _NAME.match(selectors, position)
        if found is None:
            rest = selectors[position + 1 :]
            raise Usage(f'malformed debug_selector setting: + or - expected but found "{rest}"')
        if found[2] not in SELECTORS:
            raise Usage(f"unknown debug_selector setting: {found[0]}")
        chosen = None if found[0] == "-all" else selectors
        position = found.end()
    return chosen
