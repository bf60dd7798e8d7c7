"""The headers a copy leaves with: additions in front, fields taken out, fields added behind (Exim 24, 48.6).

Prepared once per job, as bytes: a local delivery then writes (prefix, headers, blank line, body chunks) without joining them, and when
a transport changes nothing the message's own header block is passed through untouched.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pillarbox.flow.transport.job import Job
from pillarbox.language.expand.octets import octets
from pillarbox.mail import header
from pillarbox.mail.date import format_date

BLANK_LINE = b"\n"


def return_path(sender: str | None) -> bytes:
    """`Return-path: <sender>` (Exim 48.5.11)."""
    return octets(f"Return-path: <{sender or ''}>\n")


def envelope_to(recipients: Iterable[str]) -> bytes:
    """`Envelope-to: a@example,` and in a line of its own ` b@example`, each address once (Exim 48.5.6)."""
    addresses = ",\n ".join(dict.fromkeys(recipients))
    return octets(f"Envelope-to: {addresses}\n")


def delivery_date(now: float) -> bytes:
    return f"Delivery-date: {format_date(now)}\n".encode()


def without_removed(block: bytes, job: Job, remove: Sequence[str]) -> bytes:
    """The block after `headers_remove` of the router and the transport (Exim 48.6).

    `remove`: the transport's expanded names. A name that ends in `*` stands for all that begin so.
    """
    first = job.assignments[0]
    removed = names_of((*first.headers_remove, *remove)) if remove or first.headers_remove else frozenset()
    return _remove(block, removed) if removed else block


def with_added(block: bytes, job: Job, add: bytes) -> bytes:
    """The block with `headers_add` of the router, then of the transport (`add`: its expanded lines)."""
    for text in job.assignments[0].headers_add:
        block += header_lines(text)
    return block + add


def names_of(items: Iterable[str]) -> frozenset[str]:
    """Lower-case field names. What an item has become is one name: where it holds a colon no field is meant."""
    return frozenset(name.strip().lower() for name in items if name.strip())


def header_lines(text: str) -> bytes:
    """Expanded header text as whole lines: one final newline, no blank line inside that would end the block."""
    lines = [line for line in text.replace("\r\n", "\n").split("\n") if line.strip()]
    return octets("".join(f"{line}\n" for line in lines))


def _remove(block: bytes, names: frozenset[str]) -> bytes:
    starts = tuple(name[:-1] for name in names if name.endswith("*"))
    if not starts:
        return header.remove(block, names)
    keep = (h for h in header.parse_headers(block) if not _is_named(h.name.lower(), names, starts))
    return b"".join(h.raw for h in keep)


def _is_named(name: str, names: frozenset[str], starts: tuple[str, ...]) -> bool:
    return name in names or name.startswith(starts)
