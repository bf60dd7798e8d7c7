"""Text of `add_header` → header fields (Exim 44.15)."""

from __future__ import annotations

import re

from pillarbox.flow.check.acl.state import AclState, HeaderChanges
from pillarbox.language.expand.registry import variable

PLACES = ("at_start_rfc", "at_start", "at_end", "after_received")
_FIELD = re.compile(r"[!-9;-~]+[ \t]*:")


@variable("headers_added", AclState, doc="Header lines that ACLs have added.", tainted=True, rank=1)
def headers_added(state: AclState) -> str:
    """Those that the message does not have yet."""
    return "\n".join(field for _, field in state.headers.added)


def add_header_lines(text: str, changes: HeaderChanges) -> None:
    """`:at_start:` in front says where; a line that is no field becomes one, `X-ACL-Warn:`, as it could end the headers otherwise."""
    place = "at_end"
    for known in PLACES:
        if text.startswith(f":{known}:"):
            place, text = known, text[len(known) + 2 :]
            break
    for field in split_fields(text):
        changes.add(field, place)


def split_fields(text: str) -> list[str]:
    """Fields with their continuation lines, no line end behind."""
    fields: list[str] = []
    for line in text.replace("\r", "").strip("\n").split("\n"):
        if line[:1] in (" ", "\t") and fields:
            fields[-1] += f"\n{line}"
        elif _FIELD.match(line):
            fields.append(line)
        elif line.strip():
            fields.append(f"X-ACL-Warn: {line.strip()}")
    return fields
