"""A compiled list: what all five kinds have in common (Exim 10.2).

The items are compiled once into steps. A list whose text holds variables is expanded for each match and its compiled form kept by the
expanded text.

A match yields *data* (Exim's `$domain_data`, `$local_part_data`, `$value` of the conditions): what a lookup returned, else the list's own
spelling of the item, as tainted as the list. It leaves `$0` (the subject) and `$1 …` (what an asterisk or a group stood for).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Generic, NamedTuple, Self, TypeVar

from pillarbox.language.expand.errors import (
    ExpandSyntaxError,
    ExpansionDeferred,
    ExpansionFailed,
    ForcedFailure,
)
from pillarbox.language.expand.scope import Scope, replay
from pillarbox.language.expand.template import Template
from pillarbox.language.match.errors import ListSyntaxError
from pillarbox.language.match.files import Content, ListFile
from pillarbox.language.match.items import Item, split_items
from pillarbox.language.match.named import ListKind, NamedLists
from pillarbox.language.match.steps import Matcher, Modes, Step, failing, in_order, merged, never
from pillarbox.language.printing import printable
from pillarbox.mail.taint import is_tainted

S = TypeVar("S")

_KEPT = 64


class Compiled(NamedTuple, Generic[S]):
    match: Matcher[S]
    is_pure: bool


class MatchList(Generic[S]):
    """Base of the list kinds. They implement `compile_item` and `key_of`."""

    __slots__ = (
        "_caseful",
        "_initial",
        "_kept",
        "_named",
        "_template",
        "is_pure",
        "match_data_now",
        "source",
    )

    kind: ClassVar[str] = ""
    """For messages: `domain`, `host`, `address`, `local part`, `string`."""
    named_kind: ClassVar[ListKind | None] = None
    """What `+name` refers to."""
    special_items: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """`+caseful` and its kin: what they change in `Modes` for the items behind them."""
    clears_captures: ClassVar[bool] = True
    has_spaced_comments: ClassVar[bool] = False
    """In files a comment must stand apart."""

    def __init__(self, source: str, named: NamedLists, initial: Modes | None = None) -> None:
        self.source = source
        self._named = named
        self._initial = initial or Modes()
        self._caseful: Self | None = None
        self._kept: OrderedDict[tuple[str, bool], Matcher[S]] = OrderedDict()
        try:
            self._template = Template.parse(source)
        except ExpandSyntaxError as error:
            raise ListSyntaxError(error.message, error.position) from None
        constant = self._template.node.constant
        if constant is not None:
            compiled = self._compile(constant)
            self.match_data_now: Matcher[S] = compiled.match
            """The data of the item that matched, None when nothing did. Raises BlockingIOError when it must wait (never if `is_pure`),
            ExpansionDeferred when it cannot be said."""
            self.is_pure = compiled.is_pure
        else:
            self.match_data_now = self._expand_and_match
            self.is_pure = False

    @classmethod
    def parse(cls, source: str, named: NamedLists) -> Self:
        """Raises ListSyntaxError: bad items, unknown named lists, bad expansions."""
        return cls(source, named)

    @property
    def caseful(self) -> Self:
        """The same list as if `+caseful` stood in front. Raises ListSyntaxError."""
        if self._caseful is None:
            self._caseful = type(self)(self.source, self._named, self._initial._replace(is_caseful=True))
        return self._caseful

    async def match_data(self, subject: S, scope: Scope) -> str | None:
        """The same, waiting where needed."""
        if self.is_pure:
            return self.match_data_now(subject, scope)
        return await replay(scope, lambda run: self.match_data_now(subject, run))

    def matches_now(self, subject: S, scope: Scope) -> bool:
        return self.match_data_now(subject, scope) is not None

    async def matches(self, subject: S, scope: Scope) -> bool:
        """Raises ExpansionDeferred when it cannot be said."""
        return await self.match_data(subject, scope) is not None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.source!r})"

    # For the kinds

    def compile_item(self, item: Item, modes: Modes) -> Step[S]:
        raise NotImplementedError

    def key_of(self, subject: S) -> str:
        """What plain strings are compared with."""
        raise NotImplementedError

    def exact_key_of(self, subject: S) -> str:
        """The same where case counts."""
        return self.key_of(subject)

    def found(self, subject: S, key: str, scope: Scope) -> None:
        """A plain string equals the subject's `key`: set captures."""

    def whole(self, steps: tuple[Step[S], ...], *, ends_negated: bool) -> Matcher[S]:
        return in_order(steps, ends_negated=ends_negated, clears_captures=self.clears_captures)

    # Compilation

    def _expand_and_match(self, subject: S, scope: Scope) -> str | None:
        try:
            text = self._template.expand_now(scope)
        except ForcedFailure:
            return None
        except ExpansionFailed as error:
            shown = printable(self.source)
            raise ExpansionDeferred(f'failed to expand "{shown}" while checking a list: {error}') from None
        if not text:
            return None
        key = (text, is_tainted(text))
        match = self._kept.get(key)
        if match is None:
            try:
                match = self._compile(text).match
            except ListSyntaxError as error:
                raise ExpansionDeferred(error.message) from None
            self._kept[key] = match
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return match(subject, scope)

    def items_now(self, scope: Scope) -> tuple[str, Iterator[tuple[Item, Step[S] | None]]]:
        """For those who tell how a list is gone through: its text, and its items with a step each, None for special ones. Raises what
        expansions raise, and ListSyntaxError while it goes on."""
        text = self._template.expand_now(scope)
        return text, self._items(text)

    def named(self, item: Item) -> Self:
        """What `+name` in this list refers to. Raises ListSyntaxError."""
        assert self.named_kind is not None
        return self._sublist(self.named_kind, item, self._initial)

    def _items(self, text: str) -> Iterator[tuple[Item, Step[S] | None]]:
        modes = self._initial
        for item in split_items(text):
            if not item.is_negated and (change := self.special_items.get(item.text)) is not None:
                modes = modes._replace(**change)
                yield item, None
            else:
                yield item, self.step(item, modes)

    def _compile(self, text: str) -> Compiled[S]:
        steps = [step for _, step in self._items(text) if step is not None]
        is_pure = all(step.is_pure for step in steps)
        ends_negated = bool(steps) and steps[-1].is_negated
        return Compiled(self.whole(self._merged(steps), ends_negated=ends_negated), is_pure)

    def step(self, item: Item, modes: Modes) -> Step[S]:
        """Any item. Raises ListSyntaxError."""
        if item.text.startswith("+") and self.named_kind is not None:
            inner = self._sublist(self.named_kind, item, modes)
            return Step(inner.match_data_now, item.is_negated, inner.is_pure, is_list=True)
        if item.text.startswith("/"):
            return self._file_step(item, modes)
        return self.compile_item(item, modes)

    def literal_step(self, text: str, item: Item, *, is_caseful: bool = False) -> Step[S]:
        """A step for a plain string, already in the form of `key_of` (or `exact_key_of`)."""
        key_of, found, data, plain = self.key_of, self.found, item.text, str(text)
        if is_caseful:
            key_of = self.exact_key_of

        def match(subject: S, scope: Scope) -> str | None:
            if key_of(subject) != plain:
                return None
            found(subject, plain, scope)
            return data

        if is_caseful:
            return Step(match, item.is_negated)
        return Step(match, item.is_negated, True, plain, data)

    def _sublist(self, kind: ListKind, item: Item, modes: Modes) -> Self:
        is_caseful = modes.is_caseful
        make = type(self)
        try:
            return self._named.get(
                kind,
                item.text[1:],
                lambda source, named: make(source, named, Modes(is_caseful)),
                is_caseful=is_caseful,
            )
        except ListSyntaxError as error:
            raise ListSyntaxError(error.message, item.position, error.suggestion) from None

    def _merged(self, steps: list[Step[S]]) -> tuple[Step[S], ...]:
        return merged(steps, self._one_of)

    def _one_of(self, literals: dict[str, str]) -> Matcher[S]:
        key_of, find, found = self.key_of, literals.get, self.found

        def match(subject: S, scope: Scope) -> str | None:
            key = key_of(subject)
            data = find(key)
            if data is not None:
                found(subject, key, scope)
            return data

        return match

    # Files

    def _file_step(self, item: Item, modes: Modes) -> Step[S]:
        if is_tainted(item.text):
            raise ListSyntaxError(f"Tainted filename '{printable(item.text)}'", item.position)
        question = ListFile(str(item.text), printable(self.source))
        kept: tuple[Content, tuple[Step[S], ...]] | None = None

        def lines(scope: Scope) -> tuple[Step[S], ...]:
            nonlocal kept
            content = scope.ask(question)
            if kept is None or kept[0] is not content:
                kept = (content, self._lines(content, modes, question.path))
            return kept[1]

        return Step(never, item.is_negated, False, lines=lines)

    def _lines(self, content: Content, modes: Modes, path: str) -> tuple[Step[S], ...]:
        steps: list[Step[S]] = []
        for line in content.items(has_spaced_comments=self.has_spaced_comments):
            try:
                steps.append(_yielding(self.compile_item(line, modes), line.text))
            except ListSyntaxError as error:
                steps.append(failing(f"{path}, line {line.position + 1}: {error.message}"))
        return self._merged(steps)


def _yielding(step: Step[S], text: str) -> Step[S]:
    """The same step with the line itself as its data, whatever matched."""
    match = step.match
    return step._replace(
        match=lambda subject, scope: None if match(subject, scope) is None else text, data=text
    )
