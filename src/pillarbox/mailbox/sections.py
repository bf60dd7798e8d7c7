"""Cutting the asked-for bytes out of a message: `BODY[1.2.HEADER]` → where they lie (RFC 9051 §6.4.5.1)."""

from __future__ import annotations

import re
from collections.abc import Collection

from pillarbox.mail.mime import Part

_FIELD = re.compile(rb"^([!-9;-~]+)[ \t]*:[^\n]*(?:\n|\Z)(?:[ \t][^\n]*(?:\n|\Z))*", re.MULTILINE)
_BLANK = b"\r\n\r\n"


def header_end(data: bytes) -> int:
    """Behind the blank line that ends the message's header, without scanning its structure."""
    if data.startswith(b"\r\n"):
        return 2
    blank = data.find(_BLANK)
    if blank >= 0:
        return blank + 4
    blank = data.find(b"\n\n")
    return blank + 2 if blank >= 0 else len(data)


def find_part(root: Part, path: tuple[int, ...]) -> Part | None:
    """The part that `1.2.3` names. A message that is no multipart has one part, 1, which is its body."""
    part: Part | None = _member(root, path[0])
    for number in path[1:]:
        if part is None:
            return None
        if part.message is not None:
            part = _member(part.message, number)
        else:
            part = part.parts[number - 1] if number <= len(part.parts) else None
    return part


def _member(message: Part, number: int) -> Part | None:
    if message.parts:
        return message.parts[number - 1] if number <= len(message.parts) else None
    return message if number == 1 else None


def locate(root: Part, path: tuple[int, ...], text: str) -> tuple[int, int] | None:
    """(start, end) in the message of a section with a part path; None when there is no such thing.

    `text`: "", MIME, HEADER, TEXT (and HEADER.FIELDS, which is cut from HEADER by `select_fields`).
    """
    part = find_part(root, path)
    if part is None:
        return None
    match text:
        case "":
            return part.body_start, part.end
        case "MIME":
            return part.header_start, part.body_start
    inner = part.message
    if inner is None:
        return None
    return (inner.body_start, inner.end) if text == "TEXT" else (inner.header_start, inner.body_start)


def select_fields(header: bytes, names: Collection[bytes], *, inverted: bool) -> bytes:
    """The fields called `names` (lower case), or all others, in their order, and the blank line (RFC 9051 §6.4.5.1)."""
    kept = [found[0] for found in _FIELD.finditer(header) if (found[1].lower() in names) != inverted]
    if kept and not kept[-1].endswith(b"\n"):
        kept.append(b"\r\n")
    kept.append(b"\r\n")
    return b"".join(kept)
