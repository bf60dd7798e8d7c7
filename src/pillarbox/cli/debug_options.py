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
_NAME = re.compile(r"[+-][^+-]*")


def debug(attached: str, rest: Words, read: Arguments, word: str) -> None:
    """`-d`, `-dd`, `-dS`, `-d+name-name`, `-d=number`. `-dp` and `-dt=` set up a buffer that nothing here fills."""
    if attached[:1] in ("p", "t") and _TRIGGERS.fullmatch(attached):
        return
    selectors = attached.removeprefix("d").removeprefix("S")
    if selectors and selectors[0] not in "+-=":
        raise Usage(f'malformed debug_selector setting: + or - expected but found "{selectors[1:]}"')
    for item in [] if selectors.startswith("=") else _NAME.findall(selectors):
        if item[1:] not in SELECTORS:
            raise Usage(f"unknown debug_selector setting: {item}")
    read.debug = selectors
