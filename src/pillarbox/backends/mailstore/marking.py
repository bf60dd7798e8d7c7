"""How STORE changes flags (RFC 9051 §6.4.6), and what a set of messages adds up to."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import assert_never

from pillarbox.ports.mailstore import Entry, FlagAction

SYSTEM_FLAGS = {flag.lower(): flag for flag in ("\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft")}


def keepable(flags: Iterable[str]) -> frozenset[str]:
    """System flags in their usual spelling, keywords as they are; `\\Recent` and other unknown system flags are dropped."""
    return frozenset(
        SYSTEM_FLAGS.get(flag.lower(), "") if flag.startswith("\\") else flag for flag in flags
    ) - {""}


def apply(flags: frozenset[str], action: FlagAction, change: frozenset[str]) -> frozenset[str]:
    match action:
        case "set":
            return change
        case "add":
            return flags | change
        case "remove":
            return flags - change
        case _:
            assert_never(action)


def totals(entries: Collection[Entry]) -> tuple[int, int, int]:
    """How many are unseen, how many deleted, and the sum of sizes."""
    unseen = sum("\\Seen" not in entry.flags for entry in entries)
    deleted = sum("\\Deleted" in entry.flags for entry in entries)
    return unseen, deleted, sum(entry.size for entry in entries)
