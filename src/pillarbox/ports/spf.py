"""SPF (RFC 7208): may a host send for a domain?"""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from pillarbox.ports.dns import Resolver

SpfResult = Literal["pass", "fail", "softfail", "neutral", "none", "permerror", "temperror"]


class SpfWish(msgspec.Struct, frozen=True):
    address: str
    """Of the host."""
    sender: str
    """`local part@domain`; the part behind the last @ is what is asked."""
    helo: str
    record: str = ""
    """Taken in place of what the DNS has."""


class SpfVerdict(msgspec.Struct, frozen=True):
    result: SpfResult
    is_by_default: bool = False
    """No mechanism has matched."""
    why: str = ""
    """Of permerror and temperror."""


class SpfUnavailable(Exception):
    """What is needed is not installed; `str()` says what, and how to get it."""


class SpfChecker(Protocol):
    async def check(self, wish: SpfWish, resolver: Resolver) -> SpfVerdict:
        """Raises SpfUnavailable."""
        ...
