"""Rewrite rules: `pattern  replacement  flags` (Exim 31.4 to 31.6).

Rules are tried in order, each on what the ones before made of the address. `kind` says what is being rewritten: `F` and `T` for the envelope's
sender and recipients, `f`, `t`, `c`, `b`, `r`, `s` for addresses in From:, To:, Cc:, Bcc:, Reply-To: and Sender:.

Known gaps: `S` rules (SMTP time) are kept but not applied; `w` replaces the address only.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from pillarbox.language.expand.errors import ForcedFailure
from pillarbox.language.expand.registry import variable
from pillarbox.language.expand.scope import Scope, replay
from pillarbox.language.expand.template import Template
from pillarbox.language.match.addresses import AddressList
from pillarbox.language.match.named import NamedLists
from pillarbox.language.words import take_word
from pillarbox.mail.address import split_address

Kind = Literal["F", "T", "f", "t", "c", "b", "r", "s"]
_ENVELOPE = frozenset("EFT")
_HEADERS = frozenset("bcfhrst")
_FLAGS = _ENVELOPE | _HEADERS | frozenset("SQqRw")
_MAX_REPEATS = 10


class RewriteSyntaxError(Exception):
    """`str()` says what is wrong with the rule."""


class Rewritten(msgspec.Struct, frozen=True, gc=False):
    """Facet while a replacement is expanded: the address at hand."""

    local_part: str
    domain: str


@variable("local_part", Rewritten, doc="Local part of the address being rewritten.", rank=10)
def _local_part(address: Rewritten) -> str:
    return address.local_part


@variable("domain", Rewritten, doc="Domain of the address being rewritten.", rank=10)
def _domain(address: Rewritten) -> str:
    return address.domain


class RewriteRule(msgspec.Struct, frozen=True):
    pattern: AddressList
    replacement: Template | None
    """None: `*`, leave such addresses alone and stop."""
    flags: frozenset[str]
    text: str = ""

    def concerns(self, kind: Kind) -> bool:
        if "S" in self.flags:
            return False
        wanted = self.flags & (_ENVELOPE | _HEADERS)
        if not wanted:
            return True
        if kind in wanted:
            return True
        return ("E" in wanted) if kind in ("F", "T") else ("h" in wanted)


class RewriteRules(msgspec.Struct, frozen=True):
    rules: tuple[RewriteRule, ...]

    @property
    def is_empty(self) -> bool:
        return not self.rules

    async def rewrite(self, address: str, kind: Kind, scope: Scope, *, qualify_with: str = "") -> str:
        """The address after all rules; the same when none applies. Raises ExpansionFailed, ExpansionDeferred."""
        if not self.rules or not address:
            return address
        return await replay(
            scope, lambda run: self.rewrite_now(address, kind, run, qualify_with=qualify_with)
        )

    def rewrite_now(self, address: str, kind: Kind, scope: Scope, *, qualify_with: str = "") -> str:
        """The same; raises BlockingIOError when something must be waited for."""
        for rule in self.rules:
            if not rule.concerns(kind):
                continue
            for _ in range(_MAX_REPEATS if "R" in rule.flags else 1):
                if not rule.pattern.matches_now(address, scope):
                    break
                if rule.replacement is None:
                    return address
                changed = _replaced(rule, rule.replacement, address, scope, qualify_with)
                if changed is None:
                    if "q" in rule.flags:
                        return address
                    break
                address = changed
                if "q" in rule.flags and "R" not in rule.flags:
                    return address
        return address


def _replaced(
    rule: RewriteRule, replacement: Template, address: str, scope: Scope, qualify_with: str
) -> str | None:
    """None when the rule gives it up: a forced failure, or no complete address came out."""
    local, domain = split_address(address)
    inner = scope.with_facet(Rewritten, Rewritten(local, domain))
    inner.captures = [address, *scope.captures[1:]]
    try:
        result = replacement.expand_now(inner).strip()
    except ForcedFailure:
        return None
    if "@" not in result and "Q" in rule.flags and qualify_with:
        result = f"{result}@{qualify_with}"
    return result if "@" in result else None


def parse_rewrite_rule(line: str, named: NamedLists) -> RewriteRule:
    """Raises RewriteSyntaxError, ExpandSyntaxError, ListSyntaxError."""
    try:
        pattern, rest = take_word(line)
        replacement, rest = take_word(rest)
    except ValueError as error:
        raise RewriteSyntaxError(str(error)) from None
    if not replacement:
        raise RewriteSyntaxError("a replacement is missing")
    flags = frozenset(rest.replace(" ", "").replace("\t", ""))
    if unknown := flags - _FLAGS:
        raise RewriteSyntaxError(f"unknown flag {''.join(sorted(unknown))!r}")
    compiled = AddressList.parse(pattern.replace(":", "::"), named)
    return RewriteRule(compiled, None if replacement == "*" else Template.parse(replacement), flags, line)
