"""Retry rules: `pattern  error  [senders=list]  F,2h,15m; G,16h,1h,1.5; F,4d,6h` (Exim 32.2 to 32.10).

The first rule whose pattern, error and senders fit is used. Patterns are one-item address lists; a bare domain stands for every address in it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pillarbox.language.expand.scope import Scope, replay
from pillarbox.language.match.addresses import AddressList
from pillarbox.language.match.errors import ListSyntaxError
from pillarbox.language.match.named import NamedLists
from pillarbox.language.nowhere import empty_scope
from pillarbox.language.retry.errors import covers, parse_error_name, show_error_name
from pillarbox.language.retry.parameters import Algorithm, RetrySyntaxError, parse_algorithms
from pillarbox.language.words import dequote

__all__ = ["Algorithm", "NextTry", "RetryRule", "RetryRules", "RetrySyntaxError", "parse_retry_rule"]
DAY = 86400.0


class NextTry(msgspec.Struct, frozen=True, gc=False):
    at: float
    is_expired: bool
    """The last cutoff has passed: give the address up (`at` is when one more try is worth while)."""


class RetryRule(msgspec.Struct, frozen=True):
    pattern: AddressList
    error: str
    algorithms: tuple[Algorithm, ...]
    senders: AddressList | None = None
    text: str = ""
    """As written."""
    pattern_text: str = ""

    @property
    def is_pure(self) -> bool:
        """It can be matched without asking anything."""
        return self.pattern.is_pure and (self.senders is None or self.senders.is_pure)

    def show(self) -> str:
        """As `-brt` prints it."""
        algorithms = "".join(f"{algorithm.show()}; " for algorithm in self.algorithms)
        return f"{self.pattern_text}  {show_error_name(self.error)}  {algorithms}"

    def next_try(
        self,
        first_failed: float,
        last_tried: float,
        now: float,
        *,
        planned: float | None = None,
        longest: float = DAY,
    ) -> NextTry:
        """When to try again after a failure at `now`. `last_tried`: the attempt before this one (equal to `now` when this was the first).
        `planned`: the gap that had been intended then; `longest`: `retry_interval_max`."""
        if not self.algorithms:
            return NextTry(now, True)
        failing = max(0.0, now - first_failed)
        chosen = next((each for each in self.algorithms if failing < each.cutoff), None)
        algorithm = chosen or self.algorithms[-1]
        previous = max(0.0, now - last_tried)
        if planned is not None:
            previous = min(previous, max(0.0, planned))
        return NextTry(now + algorithm.gap(previous, longest), chosen is None)

    @property
    def final_cutoff(self) -> float:
        """Seconds after the first failure when to give up; 0 without algorithms."""
        return self.algorithms[-1].cutoff if self.algorithms else 0.0


class RetryRules(msgspec.Struct, frozen=True):
    rules: tuple[RetryRule, ...]

    @property
    def is_pure(self) -> bool:
        """All of them can be matched without asking anything."""
        return all(rule.is_pure for rule in self.rules)

    def find(
        self,
        keys: str | Sequence[str],
        error: str = "",
        detail: str = "",
        *,
        sender: str | None = "",
        scope: Scope | None = None,
    ) -> RetryRule | None:
        """The rule for a failure. `keys`: an address or a domain, or several tried against each rule in turn (for host errors: the host's
        name, then the address's domain). `sender`: None for the null sender, empty when not known. Raises BlockingIOError when a
        rule that is not pure must wait."""
        where = scope or empty_scope()
        subjects = [keys] if isinstance(keys, str) else list(keys)
        addresses = [key if "@" in key else f"*@{key}" for key in subjects]
        for rule in self.rules:
            if not covers(rule.error, error, detail):
                continue
            if rule.senders is not None and not _sender_fits(rule.senders, sender, where):
                continue
            if any(rule.pattern.matches_now(address, where) for address in addresses):
                return rule
        return None

    async def find_waiting(
        self, keys: Sequence[str], error: str, detail: str, *, sender: str | None, scope: Scope
    ) -> RetryRule | None:
        """The same, waiting for lookups. Raises ExpansionFailed, ExpansionDeferred."""
        return await replay(scope, lambda run: self.find(keys, error, detail, sender=sender, scope=run))


def _sender_fits(senders: AddressList, sender: str | None, scope: Scope) -> bool:
    if sender is None:
        return senders.matches_now("", scope)
    return bool(sender) and senders.matches_now(sender, scope)


def parse_retry_rule(line: str, named: NamedLists) -> RetryRule:
    """Raises RetrySyntaxError."""
    pattern, rest = dequote(line)
    words = rest.split(None, 1)
    if not words:
        raise RetrySyntaxError("missing error type in retry rule")
    error = parse_error_name(words[0])
    rest = words[1] if len(words) > 1 else ""
    senders: AddressList | None = None
    try:
        if rest.startswith("senders"):
            behind = rest[7:].lstrip()
            if not behind.startswith("="):
                raise RetrySyntaxError('"=" expected after "senders" in retry rule')
            source, rest = dequote(behind[1:].lstrip())
            senders = AddressList.parse(source, named)
        algorithms = parse_algorithms(rest)
        compiled = AddressList.parse(pattern.replace(":", "::"), named)
    except ListSyntaxError as list_error:
        raise RetrySyntaxError(list_error.message) from None
    return RetryRule(compiled, error, algorithms, senders, line, pattern)
