"""A compiled list: what all five kinds have in common.

The items are compiled once into steps that are tried in order; the first that matches decides (Exim 10.1). Neighbouring literals
of one polarity become one dictionary, so a list of a thousand names costs one look-up. A list whose text holds variables is expanded for each
match and its compiled form kept by the expanded text.

A match yields *data* (Exim's `$domain_data`, `$local_part_data`): what a lookup returned, else the list's own spelling of the item.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, Self, TypeVar

from pillarbox.language.expand.errors import ExpandSyntaxError, ExpansionFailed, ForcedFailure
from pillarbox.language.expand.scope import Scope, replay
from pillarbox.language.expand.template import Template
from pillarbox.language.match.errors import ListSyntaxError
from pillarbox.language.match.items import Item, split_items
from pillarbox.language.match.named import NamedLists

S = TypeVar("S")
Matcher = Callable[[S, Scope], "str | None"]
"""Data when the subject matches, None when not."""

_KEPT = 64
_MAX_DEPTH = 16


class Step(NamedTuple, Generic[S]):
    match: Matcher[S]
    is_negated: bool
    is_pure: bool
    literal: str | None = None
    """Set when the item is a plain string, compared with `MatchList.key_of(subject)`."""


class Compiled(NamedTuple, Generic[S]):
    match: Matcher[S]
    is_pure: bool


class MatchList(Generic[S]):
    """Base of the list kinds. They implement `compile_item` and `key_of`."""

    __slots__ = ("_kept", "_named", "_now", "_template", "is_pure", "source")

    kind = ""
    """For messages and named lists: `domain`, `host`, `address`, `local part`, `string`."""

    def __init__(self, source: str, named: NamedLists) -> None:
        self.source = source
        self._named = named
        self._kept: OrderedDict[str, Matcher[S]] = OrderedDict()
        try:
            self._template = Template.parse(source)
        except ExpandSyntaxError as error:
            raise ListSyntaxError(error.message, error.position) from None
        constant = self._template.node.constant
        if constant is not None:
            compiled = self._compile(constant)
            self._now: Matcher[S] = compiled.match
            self.is_pure = compiled.is_pure
        else:
            self._now = self._expand_and_match
            self.is_pure = False

    @classmethod
    def parse(cls, source: str, named: NamedLists) -> Self:
        """Raises ListSyntaxError: bad items, unknown named lists, bad expansions."""
        return cls(source, named)

    def match_data_now(self, subject: S, scope: Scope) -> str | None:
        """The data of the item that matched, None when nothing did. Raises BlockingIOError when it must wait (never if `is_pure`),
        ExpansionDeferred when it cannot be said."""
        return self._now(subject, scope)

    async def match_data(self, subject: S, scope: Scope) -> str | None:
        """The same, waiting where needed."""
        if self.is_pure:
            return self._now(subject, scope)
        return await replay(scope, lambda run: self._now(subject, run))

    def matches_now(self, subject: S, scope: Scope) -> bool:
        return self._now(subject, scope) is not None

    async def matches(self, subject: S, scope: Scope) -> bool:
        """Raises ExpansionDeferred when it cannot be said."""
        return await self.match_data(subject, scope) is not None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.source!r})"

    # For the kinds

    def compile_item(self, item: Item) -> Step[S]:
        raise NotImplementedError

    def key_of(self, subject: S) -> str:
        """What literal items are compared with."""
        raise NotImplementedError

    def sublist(self, name: str) -> MatchList[S]:
        """The named list of this kind. Raises ListSyntaxError."""
        raise NotImplementedError

    # Compilation

    def _expand_and_match(self, subject: S, scope: Scope) -> str | None:
        try:
            text = self._template.expand_now(scope)
        except ForcedFailure:
            return None
        match = self._kept.get(text)
        if match is None:
            try:
                match = self._compile(text).match
            except ListSyntaxError as error:
                raise ExpansionFailed(f"{error.message} in {self.kind} list {text!r}") from None
            self._kept[text] = match
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return match(subject, scope)

    def _compile(self, text: str) -> Compiled[S]:
        items = split_items(text)
        steps = [self._step(item) for item in items]
        is_pure = all(step.is_pure for step in steps)
        ends_negated = bool(steps) and steps[-1].is_negated
        return Compiled(_run(self._merge(steps), ends_negated), is_pure)

    def _step(self, item: Item) -> Step[S]:
        if item.text.startswith("+"):
            inner = self.sublist(item.text[1:].strip())
            return Step(inner.match_data_now, item.is_negated, inner.is_pure)
        return self.compile_item(item)

    def _merge(self, steps: Sequence[Step[S]]) -> list[Step[S]]:
        merged: list[Step[S]] = []
        index = 0
        while index < len(steps):
            end = index
            literals: dict[str, str] = {}
            while end < len(steps) and (text := steps[end].literal) is not None:
                if steps[end].is_negated != steps[index].is_negated:
                    break
                literals.setdefault(text, text)
                end += 1
            if end - index > 1:
                merged.append(Step(self._one_of(literals), steps[index].is_negated, True))
                index = end
            else:
                merged.append(steps[index])
                index += 1
        return merged

    def _one_of(self, literals: dict[str, str]) -> Matcher[S]:
        key_of, find = self.key_of, literals.get
        return lambda subject, scope: find(key_of(subject))

    def literal_step(self, text: str, item: Item) -> Step[S]:
        """A step for a plain string, already in the form of `key_of`."""
        key_of = self.key_of
        return Step(
            lambda subject, scope: text if key_of(subject) == text else None, item.is_negated, True, text
        )


def _run(steps: Sequence[Step[S]], ends_negated: bool) -> Matcher[S]:
    if len(steps) == 1 and not steps[0].is_negated:
        return steps[0].match
    table = tuple((step.match, step.is_negated) for step in steps)
    otherwise = "" if ends_negated else None

    def match(subject: S, scope: Scope) -> str | None:
        for test, is_negated in table:
            data = test(subject, scope)
            if data is not None:
                return None if is_negated else data
        return otherwise

    return match
