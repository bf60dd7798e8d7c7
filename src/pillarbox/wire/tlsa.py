"""TLSA records (RFC 6698): what a domain says of the certificates of its hosts. Whether a chain is that one: `dane`.

Apart from `dane`, because few have such records, and what judges certificates takes its time to load.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import msgspec

AUTHORITY, HOST = 2, 3
"""Usages that count for mail (RFC 7672 §3.1.3)."""
CERTIFICATE, KEY = 0, 1
"""Selectors."""
DIGESTS: dict[int, Callable[[bytes], bytes]] = {
    0: bytes,
    1: lambda data: hashlib.sha256(data).digest(),
    2: lambda data: hashlib.sha512(data).digest(),
}
"""By matching type."""


class Tlsa(msgspec.Struct, frozen=True):
    """One record."""

    usage: int
    selector: int
    matching: int
    data: bytes

    @property
    def is_usable(self) -> bool:
        known = self.selector in (CERTIFICATE, KEY) and self.matching in DIGESTS
        return known and self.usage in (AUTHORITY, HOST)


def read_tlsa(text: str, data: bytes) -> Tlsa:
    """As the DNS has it: three numbers in front."""
    usage, selector, matching = text.split()[:3]
    return Tlsa(int(usage), int(selector), int(matching), data)
