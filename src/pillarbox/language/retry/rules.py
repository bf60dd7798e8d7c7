"""Retry rules: `pattern  error  [senders=list]  F,2h,15m; G,16h,1h,1.5; F,4d,6h` (Exim 32.2 to 32.10).

The first rule whose pattern, error and senders fit is used. Patterns are one-item address lists; a bare domain stands for every address in it.

Known gap: patterns that need lookups are refused.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import Literal

import msgspec

from pillarbox.language.expand.scope import Scope
from pillarbox.language.match.addresses import AddressList
from pillarbox.language.match.errors import ListSyntaxError
from pillarbox.language.match.named import NamedLists
from pillarbox.language.nowhere import empty_scope
from pillarbox.language.retry.errors import covers, is_error_name
from pillarbox.language.words import take_word

DAY = 86400.0
_TIME = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")
_UNITS = (604800, 86400, 3600, 60, 1)
_MAX_STEPS = 10_000


class RetrySyntaxError(Exception):
    """`str()` says what is wrong with the rule."""


class Algorithm(msgspec.Struct, frozen=True, gc=False):
    """`F,cutoff,interval`, `G,cutoff,first,factor`, `H,…`: seconds, the cutoff from the first failure on."""

    letter: Literal["F", "G", "H"]
    cutoff: float
    interval: float
    factor: float = 1.0

    def gap(self, previous: float, longest: float) -> float:
        """Seconds to wait after waiting `previous`."""
        if self.letter == "F":
            return min(self.interval, longest)
        if self.letter == "H":
            most = max(previous * self.factor, self.interval)
            return min(random.uniform(self.interval, most), longest)
        gap = self.interval
        for _ in range(_MAX_STEPS):
            if gap > previous or gap >= longest:
                break
            gap *= self.factor
        return min(gap, longest)


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
        name, then the address's domain). `sender`: None for the null sender, empty when not known."""
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


def _sender_fits(senders: AddressList, sender: str | None, scope: Scope) -> bool:
    if sender is None:
        return senders.matches_now("", scope)
    return bool(sender) and senders.matches_now(sender, scope)


def parse_retry_rule(line: str, named: NamedLists) -> RetryRule:
    """Raises RetrySyntaxError."""
    try:
        pattern, rest = take_word(line)
        error, rest = take_word(rest)
        senders = None
        if rest.startswith("senders"):
            senders, rest = _senders(rest, named)
        error = error or "*"
        if not is_error_name(error):
            raise RetrySyntaxError(f'unknown or malformed retry error name "{error}"')
        algorithms = tuple(_algorithm(part) for part in rest.split(";") if part.strip())
        compiled = AddressList.parse(pattern.replace(":", "::"), named)
    except ValueError as error_in_words:
        raise RetrySyntaxError(str(error_in_words)) from None
    except ListSyntaxError as list_error:
        raise RetrySyntaxError(list_error.message) from None
    if not compiled.is_pure or (senders is not None and not senders.is_pure):
        raise RetrySyntaxError("lookups and variables in retry patterns are not supported yet")
    return RetryRule(compiled, error, algorithms, senders, line)


def _senders(rest: str, named: NamedLists) -> tuple[AddressList, str]:
    _, _, behind = rest.partition("=")
    source, rest = take_word(behind)
    return AddressList.parse(source, named), rest


def _algorithm(text: str) -> Algorithm:
    parts = [part.strip() for part in text.split(",")]
    letter = parts[0].upper()
    wanted = {"F": 3, "G": 4, "H": 4}.get(letter)
    if wanted is None:
        raise RetrySyntaxError(f'unknown retry algorithm "{parts[0]}": F, G or H')
    if len(parts) != wanted:
        raise RetrySyntaxError(f'"{text.strip()}" has {len(parts) - 1} parameters, {wanted - 1} wanted')
    cutoff, interval = _seconds(parts[1]), _seconds(parts[2])
    if interval <= 0:
        raise RetrySyntaxError(f'the interval in "{text.strip()}" must be positive')
    if letter == "F":
        return Algorithm("F", cutoff, interval)
    try:
        factor = float(parts[3])
    except ValueError:
        raise RetrySyntaxError(f'malformed factor "{parts[3]}"') from None
    if not 1.0 <= factor <= 1000:
        raise RetrySyntaxError(f"the factor {parts[3]} must be between 1 and 1000")
    return Algorithm("G" if letter == "G" else "H", cutoff, interval, factor)


def _seconds(text: str) -> float:
    found = _TIME.fullmatch(text)
    if not found or not text:
        raise RetrySyntaxError(f'malformed time "{text}"')
    return float(sum(int(count) * unit for count, unit in zip(found.groups(), _UNITS, strict=True) if count))
