"""Hints: what was learned about hosts and addresses. Losing them costs a few attempts, never mail (Exim chapter 32)."""

from __future__ import annotations

from typing import Protocol

import msgspec


class RetryHint(msgspec.Struct, frozen=True, gc=False):
    """State of one retry key (`T:mail.example.org:192.0.2.1`, `R:user@example.org`)."""

    first_failed: float
    last_tried: float
    next_try: float
    is_expired: bool = False
    """The rule's last cutoff has passed: fail at the next refusal, try once at `next_try` (Exim 32.8)."""
    error: str = ""
    """Retry error name and detail, as in Outcome."""
    text: str = ""
    """The last failure, for the log and `pillarbox queue show`."""


class Hints(Protocol):
    """Quick, in memory or in SQLite's cache: callable from the loop."""

    def retry(self, key: str) -> RetryHint | None: ...

    def put_retry(self, key: str, hint: RetryHint) -> None:
        """Made durable in groups, soon."""
        ...

    def forget_retry(self, key: str) -> None: ...

    def tidy(self, older_than: float) -> int:
        """Remove hints last tried before that time (`exim_tidydb`); how many."""
        ...
