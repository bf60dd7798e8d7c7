"""Header blocks: bytes in LF form, each field ending in a newline, folded lines kept as they came.

A block is never re-rendered: fields are added in front or behind, or cut out, so that what is delivered is what was
received (RFC 5322 §2.2, §3.6). Parsing is done once, when somebody asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

_FIELD = re.compile(rb"^([!-9;-~]*)[ \t]*:((?:[^\n]*\n[ \t])*[^\n]*(?:\n|\Z))", re.MULTILINE)
"""The name may be missing: such lines do not end the headers (Exim too)."""
_END_OF_HEADERS = re.compile(rb"\n(?![!-9;-~]*[ \t]*:|[ \t])")


class Header(msgspec.Struct, frozen=True, gc=False):
    """One field. `raw` is the whole of it, final newline included; `name` as it was written."""

    name: str
    raw: bytes

    @property
    def value(self) -> bytes:
        """The text behind the colon, unfolded, without surrounding white space."""
        return unfold(self.raw.partition(b":")[2])


def unfold(value: bytes) -> bytes:
    """Remove the line ends of folding (RFC 5322 §2.2.3) and surrounding white space."""
    return value.replace(b"\r\n", b"\n").replace(b"\n", b"").strip(b" \t")


def parse_headers(block: bytes) -> tuple[Header, ...]:
    """The fields of a block in their order; what is no field is passed over."""
    return tuple(Header(m.group(1).decode("ascii"), m.group(0)) for m in _FIELD.finditer(block))


def split_message(data: bytes) -> tuple[bytes, bytes]:
    """Divide a message in LF form into (header block, body).

    The blank line belongs to neither. Text that does not begin with a field is all body, as in Exim: so is everything
    from the first line that is neither field nor continuation, when the blank line is missing.
    """
    if data.startswith(b"\n"):
        return b"", data[1:]
    if not _FIELD.match(data):
        return b"", data
    end = _END_OF_HEADERS.search(data)
    if end is None:
        return (data if data.endswith(b"\n") else data + b"\n"), b""
    start_of_rest = end.start() + 1
    block = data[:start_of_rest]
    body_start = start_of_rest + 1 if data[start_of_rest : start_of_rest + 1] == b"\n" else start_of_rest
    return block, data[body_start:]


def iterate(block: bytes, name: str) -> Iterator[bytes]:
    """Values (unfolded) of every field called `name`, whatever its case."""
    lowered = name.lower()
    for header in parse_headers(block):
        if header.name.lower() == lowered:
            yield header.value


def first(block: bytes, name: str) -> bytes | None:
    """Value of the first field called `name`, or None."""
    return next(iterate(block, name), None)


def remove(block: bytes, names: frozenset[str]) -> bytes:
    """The block without the fields whose lower-case name is in `names`."""
    return b"".join(h.raw for h in parse_headers(block) if h.name.lower() not in names)
