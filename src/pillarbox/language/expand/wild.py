r"""wildlsearch and nwildlsearch: a search file whose keys are patterns (Exim 9.3.11).

A key is `*…` (ends with), `^…` (an expression, case ignored), `type;…` (a nested lookup, its data discarded), `!…` (all but), or is
compared literally. The keys of wildlsearch are expanded first: the file is the administrator's, as the configuration is.

The lines are tried in order. One whose key is bad makes the lookup defer when it is reached; the real one names the fault only in its
log, and for a bad expression it ends altogether. Keys are compiled once for each reading of the file.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import cast

import msgspec

from pillarbox.language.expand.errors import (
    ExpandSyntaxError,
    ExpansionDeferred,
    ExpansionFailed,
    ForcedFailure,
)
from pillarbox.language.expand.lookup import (
    LookupDeferred,
    LookupUnopened,
    find,
    parse_lookup_item,
)
from pillarbox.language.expand.scope import Scope, Services
from pillarbox.language.expand.template import Template
from pillarbox.language.match.folding import fold
from pillarbox.language.regex import RegexError, compile_regex
from pillarbox.ports.lookups import LookupNotOpened, PatternLines, PatternLookup

Matches = Callable[[str, Scope], bool]


class LinesQuestion(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The lines of a file of patterns. Raises LookupUnopened."""

    kind: str
    source: str
    options: tuple[str, ...]

    def answer_now(self, services: Services) -> PatternLines:
        try:
            return self._lookup(services).lines_now(self.source, self.options)
        except LookupNotOpened as error:
            raise LookupUnopened(str(error)) from None

    async def answer(self, services: Services) -> PatternLines:
        try:
            return await self._lookup(services).lines(self.source, self.options)
        except LookupNotOpened as error:
            raise LookupUnopened(str(error)) from None

    def _lookup(self, services: Services) -> PatternLookup:
        lookup = services.lookups.get(self.kind)
        if not isinstance(lookup, PatternLookup):
            raise ExpansionFailed(f'unknown lookup type "{self.kind}"')
        return lookup


class _Line:
    """One line, its key compiled when first reached."""

    __slots__ = ("data", "key", "matches")

    def __init__(self, key: str, data: str) -> None:
        self.key = key
        self.data = data
        self.matches: Matches | None = None


def search_patterns(scope: Scope, kind: str, key: str, source: str, options: tuple[str, ...]) -> str | None:
    """The data of the first line whose key matches. Raises LookupUnopened, LookupDeferred."""
    lines = scope.ask(LinesQuestion(kind, source, options))
    if lines.compiled is None:
        lines.compiled = [_Line(pattern, data) for pattern, data in lines.lines]
    for line in cast("list[_Line]", lines.compiled):
        if line.matches is None:
            line.matches = _expanded(line.key) if kind == "wildlsearch" else _pattern(line.key)
        if line.matches(key, scope):
            return line.data
    return None


def _expanded(source: str) -> Matches:
    try:
        template = Template.parse(source)
    except ExpandSyntaxError as error:
        raise LookupDeferred(_not_expanded(source, error.message)) from None
    if template.node.constant is not None:
        return _pattern(template.node.constant)

    def matches(subject: str, scope: Scope) -> bool:
        captures, value = scope.captures, scope.value
        try:
            pattern = template.expand_now(scope)
        except ForcedFailure:
            return False
        except (ExpansionFailed, ExpansionDeferred) as error:
            raise LookupDeferred(_not_expanded(source, str(error))) from None
        finally:
            scope.captures, scope.value = captures, value
        return _pattern(str(pattern))(subject, scope)

    return matches


def _not_expanded(source: str, why: str) -> str:
    return f'failed to expand "{source}" while checking a list: {why}'


@lru_cache(maxsize=1024)
def _pattern(text: str) -> Matches:
    """Raises LookupDeferred."""
    if text.startswith("!"):
        inner = _positive(text[1:].lstrip())
        return lambda subject, scope: not inner(subject, scope)
    return _positive(text)


def _positive(text: str) -> Matches:
    if text.startswith("^"):
        return _regex(text)
    if text.startswith("*"):
        ending = fold(text[1:])
        return lambda subject, scope: fold(subject).endswith(ending)
    try:
        lookup = parse_lookup_item(text)
    except ExpandSyntaxError as error:
        raise LookupDeferred(error.message) from None
    if lookup is not None:
        kind, source = lookup
        return lambda subject, scope: find(scope, kind, subject, source) is not None
    folded = fold(text)
    return lambda subject, scope: fold(subject) == folded


def _regex(text: str) -> Matches:
    try:
        pattern = compile_regex(text, ignore_case=True)
    except RegexError as error:
        raise LookupDeferred(str(error)) from None

    def matches(subject: str, scope: Scope) -> bool:
        try:
            return pattern.matches(subject)
        except RegexError as error:
            raise LookupDeferred(str(error)) from None

    return matches
