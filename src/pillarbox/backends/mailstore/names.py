"""Mailbox names: what a store accepts, and the mailboxes every account begins with.

Names are Unicode, NFC, with `/` between levels. INBOX is in upper case whatever the client wrote (RFC 9051 §5.1), also as the first
level of its children. The bounds keep a name below the 255 bytes that a file name may have even after modified UTF-7 has grown it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from pillarbox.ports.mailstore import MailboxInfo, MailboxNameInvalid

INBOX = "INBOX"
SEPARATOR = "/"
SPECIAL_USE = {
    "Sent": "\\Sent",
    "Drafts": "\\Drafts",
    "Trash": "\\Trash",
    "Junk": "\\Junk",
    "Archive": "\\Archive",
}
"""Made with a new store, and their meaning for RFC 6154 unless CREATE said otherwise."""

MAX_DEPTH = 20
MAX_BYTES = 200
"""Of the name on disk, in any back end, so that a store can move between them."""


def canonical(name: str) -> str:
    """The one spelling of a name. Raises MailboxNameInvalid, whose text says what is wrong."""
    name = unicodedata.normalize("NFC", name.removesuffix(SEPARATOR))
    levels = name.split(SEPARATOR)
    if problem := _problem(name, levels):
        raise MailboxNameInvalid(problem)
    if levels[0].upper() == INBOX:
        levels[0] = INBOX
    return SEPARATOR.join(levels)


def _problem(name: str, levels: list[str]) -> str:
    if not name:
        return "the name is empty"
    if not name.isprintable():
        return "the name has characters that cannot be shown"
    if len(levels) > MAX_DEPTH:
        return f"more than {MAX_DEPTH} levels"
    if any(level in ("", ".", "..") or level != level.strip() for level in levels):
        return "a level is empty, is . or .., or begins or ends with a space"
    if any(wildcard in name for wildcard in "*%"):
        return "* and % are wildcards of LIST"
    if len(name.encode("utf-7")) > MAX_BYTES or len(name.encode()) > MAX_BYTES:
        return "the name is too long"
    return ""


def parents(name: str) -> list[str]:
    """`a/b/c` → `a`, `a/b`."""
    levels = name.split(SEPARATOR)
    return [SEPARATOR.join(levels[:depth]) for depth in range(1, len(levels))]


def is_beneath(name: str, parent: str) -> bool:
    return name.startswith(parent + SEPARATOR)


def listing(mailboxes: dict[str, str], subscribed: Iterable[str]) -> list[MailboxInfo]:
    """LIST's lines for mailboxes (name → special use) and subscriptions; levels without a mailbox of their own appear unselectable."""
    wanted = frozenset(subscribed)
    known = set(mailboxes) | wanted
    inner = {parent for name in known for parent in parents(name)}
    with_children = {parent for name in mailboxes for parent in parents(name)}
    return [
        MailboxInfo(
            name=name,
            is_selectable=name in mailboxes,
            has_children=name in with_children,
            is_subscribed=name in wanted,
            special_use=mailboxes.get(name, ""),
        )
        for name in sorted(known | (inner & with_children), key=lambda name: (name != INBOX, name))
    ]
