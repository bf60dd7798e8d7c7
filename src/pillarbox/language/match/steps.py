"""What a list's items are compiled into, and how the steps are gone through (Exim 10.2.1).

Steps are tried in order; the first that matches decides. When none does, a list whose last item is negated matches. Neighbouring
literals of one polarity become one dictionary, so a list of a thousand names costs one look-up. An included file is a step that holds
the steps of its lines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from pillarbox.language.expand.errors import ExpansionDeferred
from pillarbox.language.expand.scope import Scope

S = TypeVar("S")
Matcher = Callable[[S, Scope], "str | None"]
"""Data when the subject matches, None when not."""


class Modes(NamedTuple):
    """What the special items in front of an item have asked for: `+caseful`, `+ignore_unknown` and their kin."""

    is_caseful: bool = False
    unknown: Literal["fail", "include", "ignore"] = "fail"
    """A host whose name or address cannot be found: ends the list, matches it, or is passed over (Exim 10.4.5)."""
    trouble: Literal["defer", "include", "ignore"] = "defer"
    """The DNS cannot say (Exim 10.4.7)."""


CASEFUL: Mapping[str, Mapping[str, Any]] = {"+caseful": {"is_caseful": True}}
"""The special items of lists in which case may count."""


class Step(NamedTuple, Generic[S]):
    match: Matcher[S]
    is_negated: bool = False
    is_pure: bool = True
    key: str | None = None
    """Set when the item is a plain string: what the subject's key is compared with."""
    data: str = ""
    """Of a plain string."""
    lines: Callable[[Scope], Sequence[Step[S]]] | None = None
    """Of an included file."""
    is_list: bool = False
    """A named list: one that does not match because of a negated item leaves that item's captures."""


def never(subject: object, scope: Scope) -> str | None:
    return None


def failing(message: str) -> Step[S]:
    """For an item that turned out bad while matching: what stands in front of it may still decide."""

    def match(subject: S, scope: Scope) -> str | None:
        raise ExpansionDeferred(message)

    return Step(match)


def merged(steps: Sequence[Step[S]], one_of: Callable[[dict[str, str]], Matcher[S]]) -> tuple[Step[S], ...]:
    """The steps with neighbouring plain strings in one; `one_of` makes the matcher of several."""
    found: list[Step[S]] = []
    index = 0
    while index < len(steps):
        end = index
        literals: dict[str, str] = {}
        while end < len(steps) and (key := steps[end].key) is not None:
            if steps[end].is_negated != steps[index].is_negated:
                break
            literals.setdefault(key, steps[end].data)
            end += 1
        if end - index > 1:
            found.append(Step(one_of(literals), steps[index].is_negated))
            index = end
        else:
            found.append(steps[index])
            index += 1
    return tuple(found)


def in_order(steps: Sequence[Step[S]], *, ends_negated: bool, clears_captures: bool) -> Matcher[S]:
    """The matcher of a whole list. `clears_captures`: `$0 $1 …` of an earlier match are gone when an item has been looked at."""
    if not steps:
        return never
    if any(step.lines is not None for step in steps):
        return _with_files(tuple(steps), clears_captures=clears_captures)
    if len(steps) == 1 and not steps[0].is_negated:
        return _single(steps[0].match) if clears_captures else steps[0].match
    table = tuple((step.match, step.is_negated) for step in steps)
    otherwise = "" if ends_negated else None
    clears_at_end = clears_captures and not steps[-1].is_list

    def match(subject: S, scope: Scope) -> str | None:
        if clears_captures:
            scope.captures = []
        for test, is_negated in table:
            data = test(subject, scope)
            if data is not None:
                return None if is_negated else data
        if clears_at_end:
            scope.captures = []
        return otherwise

    return match


def _single(only: Matcher[S]) -> Matcher[S]:
    def match(subject: S, scope: Scope) -> str | None:
        scope.captures = []
        return only(subject, scope)

    return match


def _with_files(steps: tuple[Step[S], ...], *, clears_captures: bool) -> Matcher[S]:
    """The polarity of a line counts against its file's: a negated line of a negated file matches."""

    clears_at_end = clears_captures and not steps[-1].is_list

    def match(subject: S, scope: Scope) -> str | None:
        if clears_captures:
            scope.captures = []
        ends_negated = False
        for step in steps:
            ends_negated = step.is_negated
            lines = (step._replace(is_negated=False),) if step.lines is None else step.lines(scope)
            for line in lines:
                ends_negated = step.is_negated != line.is_negated
                data = line.match(subject, scope)
                if data is not None:
                    return None if ends_negated else data
        if clears_at_end:
            scope.captures = []
        return "" if ends_negated else None

    return match
