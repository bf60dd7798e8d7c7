"""A name and an address as they stand in From: and Sender: (RFC 5322 §3.4)."""

from __future__ import annotations

import re

from pillarbox.language.rewrite.phrases import encoded

_SYNTAX = re.compile(r"[\x00-\x1f\x7f]")
_PHRASE = re.compile(r'(?:[\w!#$%&\'*+/=?^`{|}~ -]|"(?:[^"\\]|\\.)*"|\((?:[^()\\]|\\.)*\))+', re.ASCII)
"""Atoms, quoted strings and comments: what may stand there as it is."""


def show_sender(name: str, address: str) -> str:
    """For From: and Sender:. Without a name the address alone, without an address nothing. What is not ASCII is encoded (RFC 2047)."""
    name = _SYNTAX.sub("", name)
    return f"{_phrase(name)} <{address}>" if name.strip() and address else address


def _phrase(name: str) -> str:
    """A display name, quoted when it must be (RFC 5322 §3.2.5)."""
    if not name.isascii():
        return encoded(name, "UTF-8")
    if _PHRASE.fullmatch(name):
        return name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
