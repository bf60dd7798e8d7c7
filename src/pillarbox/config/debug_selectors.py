"""What debugging can be told to tell (Exim 5.3, `-d`; 44.13, `control = debug/opts=…`)."""

from __future__ import annotations

import re

SELECTORS = frozenset(
    (
        "acl", "all", "any", "auth", "deliver", "dns", "dnsbl", "exec", "expand", "filter", "hints_lookup", "host_lookup", "ident",
        "interface", "lists", "load", "local_scan", "lookup", "macro", "memory", "noutf8", "pid", "process_info", "queue_run", "receive",
        "regex", "resolver", "retry", "rewrite", "route", "start", "timestamp", "tls", "transport", "uid", "verify",
    )
)  # fmt: skip
USUAL = SELECTORS - {
    "any",
    "all",
    "filter",
    "interface",
    "load",
    "local_scan",
    "memory",
    "pid",
    "resolver",
    "timestamp",
}
"""What nobody has to ask for, nearly."""
_NAME = re.compile(r"([+-])(\w*)", re.ASCII)


class SelectorMistake(ValueError):
    """`str()` is what is wrong, in Exim's words."""


def read_selectors(text: str) -> list[tuple[bool, str]]:
    """`+name-name`: whether it is added, and which. Raises SelectorMistake."""
    found, position = [], 0
    while position < len(text):
        word = _NAME.match(text, position)
        if word is None:
            rest = text[position + 1 :]
            raise SelectorMistake(f'malformed debug_selector setting: + or - expected but found "{rest}"')
        if word[2] not in SELECTORS:
            raise SelectorMistake(f"unknown debug_selector setting: {word[0]}")
        found.append((word[1] == "+", word[2]))
        position = word.end()
    return found


def selected(text: str) -> frozenset[str]:
    """What is told: the usual, changed by `text`. Raises SelectorMistake."""
    topics = set(USUAL)
    for is_added, name in read_selectors(text):
        names = SELECTORS if name == "all" else {name}
        topics = topics | names if is_added else topics - names
    return frozenset(topics)
