"""Comparing texts and numbers: `eq`, `eqi`, `lt` … `gei`, `=`, `<` … `>=` (Exim 11.7)."""

from __future__ import annotations

import operator
from collections.abc import Callable

from pillarbox.language.expand.nodes import Condition
from pillarbox.language.expand.numbers import integer
from pillarbox.language.expand.octets import octets
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.registry import condition

_TEXTS: dict[str, Callable[[bytes, bytes], bool]] = {
    "eq": operator.eq,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}
_NUMBERS: dict[str, Callable[[int, int], bool]] = {
    "=": operator.eq,
    "==": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@condition("eq", "eqi", "lt", "lti", "le", "lei", "gt", "gti", "ge", "gei")
def parse_text_comparison(parser: Parser, name: str) -> Condition:
    at = parser.position
    left, right = parser.condition_arguments(name, 2)
    first, second = left.evaluate, right.evaluate
    if name == "eq":
        return Condition(name, at, lambda scope: first(scope) == second(scope), [left, right])
    if name in _TEXTS:
        compare = _TEXTS[name]
        return Condition(
            name, at, lambda scope: compare(octets(first(scope)), octets(second(scope))), [left, right]
        )
    folded = _TEXTS[name[:-1]]
    return Condition(
        name, at, lambda scope: folded(_folded(first(scope)), _folded(second(scope))), [left, right]
    )


def _folded(text: str) -> bytes:
    """ASCII letters only, as in the C locale; compared as bytes."""
    return octets(text).lower()


@condition(*_NUMBERS)
def parse_number_comparison(parser: Parser, name: str) -> Condition:
    at = parser.position
    left, right = parser.condition_arguments(name, 2)
    compare, first, second = _NUMBERS[name], left.evaluate, right.evaluate
    return Condition(
        name, at, lambda scope: compare(integer(first(scope)), integer(second(scope))), [left, right]
    )
