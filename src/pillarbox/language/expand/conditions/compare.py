"""Comparing texts and numbers: `eq`, `eqi`, `lt` … `gei`, `=`, `<` … `>=` (Exim 11.7)."""

from __future__ import annotations

import operator
from collections.abc import Callable

from pillarbox.language.expand.nodes import Condition
from pillarbox.language.expand.numbers import integer
from pillarbox.language.expand.octets import octets
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.registry import condition

TEXTS: dict[str, Callable[[bytes, bytes], bool]] = {
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

FOLDED: dict[str, Callable[[str, str], bool]] = {
    "eq": lambda left, right: octets(left).lower() == octets(right).lower(),
    "lt": lambda left, right: _order(left, right) < 0,
    "le": lambda left, right: _order(left, right) <= 0,
    "gt": lambda left, right: _order(left, right) > 0,
    "ge": lambda left, right: _order(left, right) >= 0,
}
"""Without regard to the case of ASCII letters: `eqi`, `lti`, …"""


def _order(left: str, right: str) -> int:
    """Below, at or above 0. Where one is the beginning of the other the first one is greater, whichever it is: Exim's."""
    first, second = octets(left).lower(), octets(right).lower()
    if first == second:
        return 0
    if first.startswith(second) or second.startswith(first):
        return 1
    return -1 if first < second else 1


@condition("eq", "eqi", "lt", "lti", "le", "lei", "gt", "gti", "ge", "gei")
def parse_text_comparison(parser: Parser, name: str) -> Condition:
    at = parser.position
    left, right = parser.condition_arguments(name, 2)
    first, second = left.evaluate, right.evaluate
    if name == "eq":
        return Condition(name, at, lambda scope: first(scope) == second(scope), [left, right])
    if name in TEXTS:
        compare = TEXTS[name]
        return Condition(
            name, at, lambda scope: compare(octets(first(scope)), octets(second(scope))), [left, right]
        )
    folded = FOLDED[name[:-1]]
    return Condition(name, at, lambda scope: folded(first(scope), second(scope)), [left, right])


@condition(*_NUMBERS)
def parse_number_comparison(parser: Parser, name: str) -> Condition:
    at = parser.position
    left, right = parser.condition_arguments(name, 2)
    compare, first, second = _NUMBERS[name], left.evaluate, right.evaluate
    return Condition(
        name, at, lambda scope: compare(integer(first(scope)), integer(second(scope))), [left, right]
    )
