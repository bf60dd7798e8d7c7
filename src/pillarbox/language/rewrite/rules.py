"""Rewrite rules: `pattern  replacement  flags` (Exim 31.4 to 31.6).

Rules are tried in order, each on what the ones before made of the address. `kind` says what is being rewritten: `F` and `T` for the envelope's
sender and recipients, `f`, `t`, `c`, `b`, `r`, `s` for addresses in From:, To:, Cc:, Bcc:, Reply-To: and Sender:, `S` for what an SMTP
client gave before anything looked at it. What Exim writes to its logs meanwhile comes back as `notes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import msgspec

from pillarbox.language.addresses import AddressError, working_address
from pillarbox.language.expand.errors import ExpandSyntaxError, ExpansionFailed, ForcedFailure
from pillarbox.language.expand.registry import variable
from pillarbox.language.expand.scope import Scope, replay
from pillarbox.language.expand.template import Template
from pillarbox.language.match.addresses import AddressList
from pillarbox.language.match.errors import ListSyntaxError
from pillarbox.language.match.named import NamedLists
from pillarbox.language.regex import RegexError, compile_regex, search
from pillarbox.language.rewrite.phrases import encode_phrase
from pillarbox.language.words import dequote
from pillarbox.mail.address import split_address

Kind = Literal["F", "T", "f", "t", "c", "b", "r", "s", "S"]
PLACES: Mapping[Kind, str] = {
    "s": "sender:", "f": "from:", "t": "to:", "c": "cc:", "b": "bcc:", "r": "reply-to:",
    "F": "env-from", "T": "env-to", "S": "smtp sender",
}  # fmt: skip
"""What Exim's log calls them."""
SMTP_ADDRESS = "smtp recipient"
"""What it calls senders too, but for `-brw`."""
_ENVELOPE = frozenset("EFT")
_HEADERS = frozenset("bcfhrst")
_FLAGS = _ENVELOPE | _HEADERS | frozenset("SQqRw")
_MAX_REPEATS = 10


class RewriteSyntaxError(Exception):
    """`str()` says what is wrong with the rule, in Exim's words."""


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


class Note(NamedTuple):
    """A line for the log."""

    text: str
    is_complaint: bool
    """For the panic log too."""


class Result(msgspec.Struct, frozen=True):
    """`whole`: set by a `w` rule in a header, what replaces the address with its name and comments."""

    address: str
    whole: str | None = None
    notes: tuple[Note, ...] = ()


class RewriteRule(msgspec.Struct, frozen=True):
    pattern: AddressList
    replacement: Template | None
    """None: `*`, leave such addresses alone and stop."""
    flags: frozenset[str]
    text: str = ""
    expression: Template | None = None
    """The pattern of an `S` rule: a regular expression for whatever the client wrote, which need not be an address."""

    def matches(self, address: str, kind: Kind, scope: Scope) -> bool:
        """Captures go to `scope`. Raises BlockingIOError, ExpansionDeferred, ExpansionFailed."""
        if kind != "S" or self.expression is None:
            return self.pattern.matches_now(address, scope)
        try:
            captures = search(compile_regex(self.expression.expand_now(scope)), address)
        except RegexError as error:
            raise ExpansionFailed(str(error)) from None
        if captures is not None:
            scope.captures = captures
        return captures is not None

    def concerns(self, kind: Kind) -> bool:
        if kind == "S":
            return "S" in self.flags
        wanted = self.flags & (_ENVELOPE | _HEADERS)
        if not wanted:
            return "S" not in self.flags
        return kind in wanted or ("E" if kind in ("F", "T") else "h") in wanted


class RewriteRules(msgspec.Struct, frozen=True):
    rules: tuple[RewriteRule, ...]
    by_kind: Mapping[Kind, tuple[tuple[int, RewriteRule], ...]] = {}
    """The rules that concern each kind, with their numbers; the same object where they are the same."""

    def __post_init__(self) -> None:
        numbered = tuple(enumerate(self.rules, 1))
        by_kind: dict[Kind, tuple[tuple[int, RewriteRule], ...]] = {}
        for kind in PLACES:
            own = tuple(each for each in numbered if each[1].concerns(kind))
            by_kind[kind] = next((other for other in by_kind.values() if other == own), own)
        msgspec.structs.force_setattr(self, "by_kind", by_kind)

    @property
    def is_empty(self) -> bool:
        return not self.rules

    @property
    def are_for_smtp(self) -> bool:
        """Some rule has the `S` flag."""
        return any("S" in rule.flags for rule in self.rules)

    @property
    def are_only_for_smtp(self) -> bool:
        return all(rule.flags == frozenset("S") for rule in self.rules)

    async def rewrite(self, address: str, kind: Kind, scope: Scope, *, qualify_with: str = "") -> str:
        """The address after all rules; the same when none applies. Raises ExpansionFailed, ExpansionDeferred."""
        if not self.rules or not address:
            return address
        found = await replay(
            scope, lambda run: self.result_now(address, kind, run, qualify_with=qualify_with)
        )
        return found.address

    def result_now(
        self, address: str, kind: Kind, scope: Scope, *, qualify_with: str = "", place: str = ""
    ) -> Result:
        """All that came of it. `place`: what notes about changes call it (`PLACES`); without, there are none (`address_rewrite`).
        Raises BlockingIOError, ExpansionDeferred."""
        rules = self.by_kind[kind]
        if not rules:
            return Result(address)
        run = _Rewriting(address, kind, scope, qualify_with, place)
        for number, rule in rules:
            if not run.apply(rule, number):
                break
        return Result(run.address, run.whole, tuple(run.notes))


class _Rewriting:
    """One address on its way through the rules."""

    __slots__ = ("_kind", "_place", "_qualify_with", "_scope", "address", "notes", "whole")

    def __init__(self, address: str, kind: Kind, scope: Scope, qualify_with: str, place: str) -> None:
        self.address = address
        self.whole: str | None = None
        self.notes: list[Note] = []
        self._place = place
        self._kind = kind
        self._scope = scope
        self._qualify_with = qualify_with

    def apply(self, rule: RewriteRule, number: int) -> bool:
        """False: no more rules. `number`: which one it is, for people."""
        goes_on = "q" not in rule.flags
        for turn in range(_MAX_REPEATS + 1):
            if not rule.matches(self.address, self._kind, self._scope):
                return goes_on or turn == 0
            if rule.replacement is None:
                return False
            outcome = self._replace(rule, rule.replacement, number)
            if outcome != "done":
                return outcome == "forced" and goes_on
            if "R" not in rule.flags:
                return goes_on
        self._complain("rewrite rule repeat ignored after 10 times")
        return goes_on

    def _complain(self, text: str) -> None:
        self.notes.append(Note(text, is_complaint=True))

    def _replace(
        self, rule: RewriteRule, replacement: Template, number: int
    ) -> Literal["done", "forced", "failed"]:
        local, domain = split_address(self.address)
        scope = (
            self._scope.with_facet(Rewritten, Rewritten(local, domain)) if self._kind != "S" else self._scope
        )
        try:
            text = str(replacement.expand_now(scope))
        except ForcedFailure:
            return "forced"
        except ExpansionFailed as error:
            self._complain(f"Expansion of {replacement.source} failed while rewriting: {error}")
            return "failed"
        return self._take(rule, text, number)

    def _take(self, rule: RewriteRule, text: str, number: int) -> Literal["done", "failed"]:
        before = self.address
        try:
            found = working_address(text, allow_null=self._kind == "F" and text.strip() == "<>")
        except AddressError as error:
            self._complain(f"Rewrite of {before} yielded unparseable address: {error} in address {text}")
            return "failed"
        address = found.address
        if address and not found.domain_at:
            if "Q" not in rule.flags or not self._qualify_with:
                self._complain(f'Rewrite of {before} yielded unqualified address "{address}"')
                return "failed"
            address = f"{address}@{self._qualify_with}"
        self.address = address
        if "w" in rule.flags and self._kind not in ("F", "T", "S"):
            self.whole = encode_phrase(text, found)
        if self._place:
            is_all = "w" in rule.flags or text in (address, found.address)
            how = "" if is_all else "with (address part of) "
            said = address if is_all and "w" not in rule.flags else text
            line = f'"{before}" from {self._place} rewritten {how or "as "}"{said}" by rule {number}'
            self.notes.append(Note(line, is_complaint=False))
        return "done"


def parse_rewrite_rule(line: str, named: NamedLists, *, is_for_transport: bool = False) -> RewriteRule:
    """`is_for_transport`: of the headers_rewrite option, where only headers may be named. Raises RewriteSyntaxError."""
    pattern, rest = dequote(line)
    replacement, flag_text = dequote(rest)
    if not replacement and not rest:
        raise RewriteSyntaxError("missing rewrite replacement string")
    flags = flag_text.replace(" ", "").replace("\t", "")
    for flag in flags:
        if flag not in _FLAGS:
            raise RewriteSyntaxError(
                f"unknown rewrite flag character '{flag}' (could be missing quotes round replacement item)"
            )
    if "S" in flags and not pattern.startswith(("^", "\\N^")):
        raise RewriteSyntaxError("rewrite rule has the S flag but is not a regular expression")
    if is_for_transport and frozenset(flags) & (_ENVELOPE | frozenset("S")):
        raise RewriteSyntaxError(
            f"rewrite rule specifies a non-header rewrite - not allowed at transport time - {line}"
        )
    try:
        compiled = AddressList.parse(f"+caseful : {pattern.replace(':', '::')}", named)
        expression = Template.parse(pattern) if "S" in flags else None
        template = None if replacement == "*" else Template.parse(replacement)
    except ListSyntaxError as error:
        raise RewriteSyntaxError(error.message) from None
    except ExpandSyntaxError as error:
        raise RewriteSyntaxError(
            f"Expansion of {replacement} failed while rewriting: {error.message}"
        ) from None
    return RewriteRule(compiled, template, frozenset(flags), line, expression)
