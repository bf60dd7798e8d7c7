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
    """`:at_start:` in front of a field says where it goes; a line that is no field becomes one, `X-ACL-Warn:`, as it could end the headers
    otherwise."""
    for place, field in split_fields(text):
        changes.add(field, place)


def split_fields(text: str) -> list[tuple[str, str]]:
    """(place, field with its continuation lines, no line end behind)."""
    fields: list[tuple[str, str]] = []
    for line in text.replace("\r", "").strip("\n").split("\n"):
        place, rest = _placed(line)
        if line[:1] in (" ", "\t") and fields:
            fields[-1] = fields[-1][0], f"{fields[-1][1]}\n{line}"
        elif _FIELD.match(rest):
            fields.append((place, rest))
        elif rest.strip():
            fields.append((place, f"X-ACL-Warn: {rest.strip()}"))
    return fields


def _placed(line: str) -> tuple[str, str]:
    for known in PLACES:
        if line.startswith(f":{known}:"):
            return known, line[len(known) + 2 :]
    return "at_end", line
