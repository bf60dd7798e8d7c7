"""Retry hints: what a failure, and a success, write into them (Exim chapter 32).

The clock of a key starts at its first failure, not with the message; only for errors of the message itself an older message
counts from its own arrival (32.11). When the last cutoff of the rule has passed the key is expired: addresses that depend only on
expired keys fail with "retry timeout exceeded" (32.10).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from pillarbox.flow.transport.job import SKIPPED
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope, Services, replay
from pillarbox.language.nowhere import empty_scope
from pillarbox.language.retry.rules import RetryRule, RetryRules
from pillarbox.mail.address import split_address
from pillarbox.mail.outcome import Deferred
from pillarbox.ports.hints import Hints, RetryHint
from pillarbox.wire.exim.error_numbers import text_of

RETRY_TIMEOUT = "retry timeout exceeded"
_LONGEST_TEXT = 150
"""Octets of a hint's text."""
_DETAILED = re.compile(r"(\w+)_(\d{3}|A|MX)(?:_MX)?")
"""The name of an error with its detail, as hints have it."""


class RetryState(msgspec.Struct, frozen=True, gc=False):
    """What one deferred address has come to."""

    next_try: float
    """Earliest of its keys."""
    is_expired: bool
    """All of its keys have passed their last cutoff: fail it."""


class Retries:
    """Reads and writes the retry hints of one worker."""

    __slots__ = ("_hints", "_interval_max", "_rules", "_services", "_under_way", "data_expire")

    def __init__(
        self,
        hints: Hints,
        rules: RetryRules,
        *,
        data_expire: float = 7 * 86400.0,
        interval_max: float = 86400.0,
        services: Services | None = None,
    ) -> None:
        """`data_expire`: `retry_data_expire`, older hints count as none (Exim 32.9); `interval_max`: `retry_interval_max`."""
        self._hints = hints
        self._rules = rules
        self._interval_max = interval_max
        self._services = services or empty_scope().services
        self._under_way: set[asyncio.Task[RetryState]] = set()
        self.data_expire = data_expire

    def look(self, key: str, now: float) -> RetryHint | None:
        """The hint for `key`, unless there is none or it is too old to believe."""
        hint = self._hints.retry(key)
        return None if hint is None or now - hint.last_tried > self.data_expire else hint

    def not_due(self, keys: Iterable[str], now: float) -> str | None:
        """The first of `keys` whose retry time lies ahead. A domain that has been failing for too long is looked up for each message."""
        for key in keys:
            hint = self.look(key, now)
            if hint is not None and now < hint.next_try and not (hint.is_expired and is_of_domain(key)):
                return key
        return None

    def forget(self, *keys: str) -> None:
        """A delivery has succeeded: the retry clock of these keys starts anew."""
        for key in keys:
            if self._hints.retry(key) is not None:
                self._hints.forget_retry(key)

    def note_soon(self, deferred: Deferred, sender: str | None, received_at: float, now: float) -> None:
        """What a transport has met: noted at once, unless a rule must be looked up first."""
        if self._rules.is_pure:
            self.note(deferred, sender, received_at, now)
            return
        task = asyncio.create_task(self.note_waiting(deferred, sender, received_at, now))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def note_waiting(
        self, deferred: Deferred, sender: str | None, received_at: float, now: float
    ) -> RetryState:
        """`note`, for rules whose patterns need lookups. Where one cannot be made the address waits for the next queue run."""
        if self._rules.is_pure:
            return self.note(deferred, sender, received_at, now)
        scope = Scope({}, self._services)
        try:
            return await replay(scope, lambda run: self.note(deferred, sender, received_at, now, scope=run))
        except (ExpansionFailed, ExpansionDeferred):
            return RetryState(now, False)

    def note(
        self,
        deferred: Deferred,
        sender: str | None,
        received_at: float,
        now: float,
        *,
        scope: Scope | None = None,
    ) -> RetryState:
        """Write a deferral into the hints of all its keys and say when to try again, or that it is over.

        Without keys (the failure is ours: a bad expansion, a full disk) the address is due at the next queue run: `next_try` is
        `now` and nothing ever expires. Without a rule it fails at once (Exim 32, first paragraph).
        """
        if not deferred.retry_keys:
            return RetryState(now, False)
        found = [
            (key, self._rule_of(key, self._as_noted(key, deferred, now), sender, scope))
            for key in deferred.retry_keys
        ]
        states = [self._note_key(key, rule, deferred, received_at, now) for key, rule in found]
        return RetryState(min(s.next_try for s in states), all(s.is_expired for s in states))

    async def cutoff_of(self, key: str, deferred: Deferred, sender: str | None) -> float:
        """Seconds after which the rule for this failure gives up; 0 without a rule."""
        if self._rules.is_pure:
            rule = self._rule_of(key, deferred, sender, None)
        else:
            try:
                scope = Scope({}, self._services)
                rule = await replay(scope, lambda run: self._rule_of(key, deferred, sender, run))
            except (ExpansionFailed, ExpansionDeferred):
                return 0.0
        return rule.final_cutoff if rule is not None else 0.0

    def _as_noted(self, key: str, deferred: Deferred, now: float) -> Deferred:
        """With the error that the key has, where that is another host's, noted when it happened."""
        old = (
            self.look(key, now) if deferred.host is not None and _is_of_host(key, deferred.address) else None
        )
        if old is None or not old.error or now >= old.next_try or old.error == _error_name(deferred):
            return deferred
        found = _DETAILED.fullmatch(old.error)
        error, detail = (found[1], found[2]) if found else (old.error, "")
        return replace(deferred, error=error, error_detail=detail)

    def _rule_of(
        self, key: str, deferred: Deferred, sender: str | None, scope: Scope | None
    ) -> RetryRule | None:
        error = "" if deferred.error == SKIPPED else deferred.error
        subjects = _subjects(key, deferred.first or deferred.address)
        return self._rules.find(subjects, error, deferred.error_detail, sender=sender, scope=scope)

    def _note_key(
        self, key: str, rule: RetryRule | None, deferred: Deferred, received_at: float, now: float
    ) -> RetryState:
        old = self.look(key, now)
        if deferred.error == SKIPPED:
            return RetryState(now if old is None else old.next_try, False)  # nothing fails untried
        if rule is None:
            return RetryState(now, True)
        is_overdue = now - received_at > rule.final_cutoff
        if old is not None and deferred.host is not None and (now < old.next_try or _has_no_interval(old)):
            # A host that was passed over, or whose failure was noted when it happened.
            return RetryState(old.next_try, old.is_expired or is_overdue)
        first_failed = now if old is None else old.first_failed
        is_of_host = _is_of_host(key, deferred.address)
        counted_from = first_failed if is_of_host else min(first_failed, received_at)
        next_try = rule.next_try(
            counted_from,
            now if old is None else old.last_tried,
            now,
            planned=None if old is None else old.next_try - old.last_tried,
            longest=self._interval_max,
        )
        # A host is not to blame for a message that has waited elsewhere: others are not held up by it (Exim 32.11).
        at = now if is_overdue and not next_try.is_expired else next_try.at
        hint = RetryHint(
            first_failed, now, at, next_try.is_expired, _error_name(deferred), _text_of(deferred)
        )
        self._hints.put_retry(key, hint)
        return RetryState(at, is_overdue or next_try.is_expired)


def is_of_domain(key: str) -> bool:
    """Of a domain that could not be routed."""
    return key.startswith("R:") and "@" not in key


def _is_of_host(key: str, address: str) -> bool:
    """Of another host, or of a message there; not of an address or a domain."""
    rest = key.removeprefix("T:")
    return rest != key and "@" not in rest and rest != split_address(address)[1].lower()


def _error_name(deferred: Deferred) -> str:
    """With its detail: `refused_MX`, `mail_4xx_451`, `mail_4xx_451_MX`."""
    detail = deferred.error_detail
    if not detail:
        return deferred.error
    by_mx = "_MX" if deferred.is_by_mx and detail.isdecimal() else ""
    return f"{deferred.error}_{detail}{by_mx}"


def _text_of(deferred: Deferred) -> str:
    """For people who look at the hints; no longer than Exim's."""
    text = deferred.hint or text_of(deferred.error) or deferred.reason.log
    if len(text) <= _LONGEST_TEXT and text.isascii():
        return text
    return text.encode("utf-8", "surrogateescape")[:_LONGEST_TEXT].decode("utf-8", "surrogateescape")


def _has_no_interval(hint: RetryHint) -> bool:
    """Of a rule that never lets wait, or noted for a message that has waited too long elsewhere."""
    return hint.next_try == hint.last_tried


def _subjects(key: str, address: str) -> list[str]:
    """What retry rules are searched with (Exim 32.3, 32.4): for a host its name, then the address's domain; else the address or domain."""
    kind, _, rest = key.partition(":")
    if kind == "T" and "@" not in rest:
        name = rest[1:].partition("]")[0] if rest.startswith("[") else rest.partition(":")[0]
        return [name.lower(), split_address(address)[1].lower()]
    return [rest.partition(":<")[0]]
