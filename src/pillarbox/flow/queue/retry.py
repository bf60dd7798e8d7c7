"""Retry hints: what a failure, and a success, write into them (Exim chapter 32).

The clock of a key starts at its first failure, not with the message; only for errors of the message itself an older message
counts from its own arrival (32.11). When the last cutoff of the rule has passed the key is expired: addresses that depend only on
expired keys fail with "retry timeout exceeded" (32.10).
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from pillarbox.flow.transport.job import SKIPPED
from pillarbox.mail.outcome import Deferred
from pillarbox.ports.hints import Hints, RetryHint

MESSAGE_ERRORS = frozenset({"mail_4xx", "data_4xx", "quota", "disk_full"})
"""Errors that may lie in the message rather than in the host (Exim 32.11)."""

RETRY_TIMEOUT = "retry timeout exceeded"


class RetryRule(Protocol):
    """One line of the retry section, as language/retry gives it."""

    @property
    def final_cutoff(self) -> float:
        """Seconds after the first failure at which the last parameter set ends; 0 when there is none."""
        ...

    def next_try(self, *, first_failed: float, last_tried: float, now: float) -> float:
        """When to try again (seconds since the epoch), later than `now`."""
        ...


class FindRule(Protocol):
    """The first rule that fits; None when there is none (then a temporary error is permanent)."""

    async def __call__(self, key: str, deferred: Deferred, sender: str | None) -> RetryRule | None: ...


class RetryState(msgspec.Struct, frozen=True, gc=False):
    """What one deferred address has come to."""

    next_try: float
    """Earliest of its keys."""
    is_expired: bool
    """All of its keys have passed their last cutoff: fail it."""


class Retries:
    """Reads and writes the retry hints of one worker."""

    __slots__ = ("_find", "_hints", "data_expire")

    def __init__(self, hints: Hints, find: FindRule, *, data_expire: float = 7 * 86400.0) -> None:
        """`data_expire`: `retry_data_expire`, older hints count as none (Exim 32.9)."""
        self._hints = hints
        self._find = find
        self.data_expire = data_expire

    def look(self, key: str, now: float) -> RetryHint | None:
        """The hint for `key`, unless there is none or it is too old to believe."""
        hint = self._hints.retry(key)
        return None if hint is None or now - hint.last_tried > self.data_expire else hint

    def forget(self, *keys: str) -> None:
        """A delivery has succeeded: the retry clock of these keys starts anew."""
        for key in keys:
            if self._hints.retry(key) is not None:
                self._hints.forget_retry(key)

    async def note(
        self, deferred: Deferred, sender: str | None, received_at: float, now: float
    ) -> RetryState:
        """Write a deferral into the hints of all its keys and say when to try again, or that it is over.

        Without keys (the failure is ours: a bad expansion, a full disk) the address is due at the next queue run: `next_try` is
        `now` and nothing ever expires. Without a rule it fails at once (Exim 32, first paragraph).
        """
        if not deferred.retry_keys:
            return RetryState(now, False)
        states = [
            await self._note_key(key, deferred, sender, received_at, now) for key in deferred.retry_keys
        ]
        return RetryState(min(s.next_try for s in states), all(s.is_expired for s in states))

    async def _note_key(
        self, key: str, deferred: Deferred, sender: str | None, received_at: float, now: float
    ) -> RetryState:
        old = self.look(key, now)
        if (
            old is not None
            and now < old.next_try
            and (deferred.error == SKIPPED or deferred.host is not None)
        ):
            return RetryState(old.next_try, old.is_expired)  # a host that was passed over, not tried
        if deferred.error == SKIPPED:
            return RetryState(now, False)
        rule = await self._find(key, deferred, sender)
        if rule is None:
            return RetryState(now, True)
        first_failed = now if old is None else old.first_failed
        counted_from = min(first_failed, received_at) if deferred.error in MESSAGE_ERRORS else first_failed
        is_expired = now - counted_from > rule.final_cutoff
        next_try = rule.next_try(
            first_failed=counted_from, last_tried=old.last_tried if old else counted_from, now=now
        )
        if now - received_at > rule.final_cutoff:
            return RetryState(
                next_try, True
            )  # 32.11: it has waited longer than the rule allows; other messages are not held up
        text = deferred.reason.log
        error = f"{deferred.error}_{deferred.error_detail}" if deferred.error_detail else deferred.error
        self._hints.put_retry(key, RetryHint(first_failed, now, next_try, is_expired, error, text))
        return RetryState(next_try, is_expired)
