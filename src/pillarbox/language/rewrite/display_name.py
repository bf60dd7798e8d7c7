"""A name and an address as they stand in From: and Sender: (RFC 5322 §3.4)."""

from __future__ import annotations

import re

_SYNTAX = re.compile(r"[\x00-\x1f\x7f]")
_ATOMS = re.compile(r"[\w!#$%&'*+/=?^`{|}~ -]+")


def show_sender(name: str, address: str) -> str:
    """For From: and Sender:. Without a name the address alone, without an address nothing."""
    name = _SYNTAX.sub("", name)
    return f"{_phrase(name)} <{address}>" if name and address else address


def _phrase(name: str) -> str:
    """A display name, quoted when it must be (RFC 5322 §3.2.5)."""
    if _ATOMS.fullmatch(name):
        return name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
