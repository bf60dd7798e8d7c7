"""Items that go through a list with `$item`: `${map}`, `${filter}`, `${reduce}`, `${sort}` (Exim 11.5).

Bounded: elements of one list; what is done with them counts against the expansion's budget.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable

from pillarbox.language.expand.conditions.compare import FOLDED, TEXTS
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.items.sorting import in_order
from pillarbox.language.expand.lists import elements, joined
from pillarbox.language.expand.nodes import Evaluate, Node, bounded
from pillarbox.language.expand.numbers import integer
from pillarbox.language.expand.octets import octets
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.registry import CONDITIONS, item
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.taint import tainted_by
from pillarbox.language.match.items import separator_of
from pillarbox.language.printing import quoted

_UNCLOSED = (
    'missing } at end of condition or expression inside "filter"; could be an unquoted } in the content'
)
MAX_ELEMENTS = 10_000


def list_elements(text: str) -> list[str]:
    found = elements(text)
    if len(found) > MAX_ELEMENTS:
        raise ExpansionFailed(f"a list has more than {MAX_ELEMENTS} elements")
    return found


@item("map")
def parse_map(parser: Parser) -> Node:
    at = parser.position
    source = parser.braced_list("map", _missing("first", "map"))
    body = _body(parser, "map")

    def evaluate(scope: Scope) -> str:
        text, outer = source.evaluate(scope), scope.item
        results: list[str] = []
        try:
            for scope.item in list_elements(text):
                results.append(_said_inside(body.evaluate, scope, "map"))  # noqa: PERF401: the scope's
        finally:
            scope.item = outer
        return bounded(joined(results, text))

    return Node("map", at, evaluate, [source, body])


@item("filter")
def parse_filter(parser: Parser) -> Node:
    at = parser.position
    source = parser.braced_list("filter", _missing("first", "filter"))
    parser.skip_space()
    parser.expect("{", _missing("last", "filter"))
    with parser.inside('inside "filter" item'):
        kept = parser.condition()
    parser.skip_space()
    parser.expect("}", _UNCLOSED)
    _end(parser, "filter")

    def evaluate(scope: Scope) -> str:
        text, outer, value = source.evaluate(scope), scope.item, scope.value
        results: list[str] = []
        try:
            for scope.item in list_elements(text):
                try:
                    if kept.test(scope):
                        results.append(scope.item)
                except (ExpansionFailed, ExpansionDeferred) as error:
                    raise type(error)(f'"{quoted(str(error))}" inside "filter" condition') from None
        finally:
            scope.item, scope.value = outer, value
        return joined(results, text)

    return Node("filter", at, evaluate, [source, kept])


@item("reduce")
def parse_reduce(parser: Parser) -> Node:
    at = parser.position
    source = parser.braced_list("reduce", _missing("first", "reduce"))
    start = parser.braced("reduce", _missing("second", "reduce"))
    body = _body(parser, "reduce")

    def evaluate(scope: Scope) -> str:
        text, outer, outer_value = source.evaluate(scope), scope.item, scope.value
        result = start.evaluate(scope)
        try:
            for scope.item in list_elements(text):
                scope.value = result
                result = bounded(_said_inside(body.evaluate, scope, "reduce"))
        finally:
            scope.item, scope.value = outer, outer_value
        return result

    return Node("reduce", at, evaluate, [source, start, body])


def _body(parser: Parser, owner: str) -> Node:
    parser.skip_space()
    parser.expect("{", _missing("last", owner))
    with parser.inside(f'inside "{owner}" item'):
        body = parser.operand()
    parser.expect("}", "missing } at end of string")
    _end(parser, owner)
    return body


def _missing(which: str, owner: str) -> str:
    return f"missing '{{' for {which} arg of {owner}"


def _end(parser: Parser, owner: str) -> None:
    parser.skip_space()
    if parser.peek() != "}":
        raise parser.fail(f'missing }} at end of "{owner}"')


def _said_inside(evaluate: Evaluate, scope: Scope, owner: str) -> str:
    try:
        return evaluate(scope)
    except (ExpansionFailed, ExpansionDeferred) as error:
        raise type(error)(f'"{quoted(str(error))}" inside "{owner}" item') from None


Comparison = Callable[[str, str], bool]
_COMPARATOR = re.compile(r"[<>=]=?|[A-Za-z0-9_]+", re.ASCII)
_NUMBERS: dict[str, Callable[[int, int], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@item("sort")
def parse_sort(parser: Parser) -> Node:
    at = parser.position
    source = parser.braced_list("sort", _missing("list", "sort"))
    named = parser.position
    comparator = parser.braced_source("sort", _missing("comparator", "sort")).constant or ""
    try:
        sorts_before = _comparison(comparator)
    except ExpansionFailed as error:
        raise parser.fail(str(error), named) from None
    begin = parser.position
    extractor = parser.braced("sort", _missing("extractor", "sort"))
    shown = parser.source[begin : parser.position].strip()[1:-1]
    if parser.peek() != "}":
        raise parser.fail('missing } at end of "sort"')

    def evaluate(scope: Scope) -> str:
        text, outer = source.evaluate(scope), scope.item
        pairs: list[tuple[str, str]] = []
        try:
            for scope.item in list_elements(text):
                pairs.append((_extracted(extractor.evaluate, scope, shown), scope.item))  # noqa: PERF401: the scope's
        finally:
            scope.item = outer
        return tainted_by(
            in_order(pairs, separator_of(text), sorts_before), [text, *(key for key, _ in pairs)]
        )

    return Node("sort", at, evaluate, [source, extractor])


def _extracted(evaluate: Evaluate, scope: Scope, shown: str) -> str:
    """What an element is compared by; one that has nothing fails, as in Exim."""
    try:
        if key := evaluate(scope):
            return key
    except ExpansionDeferred:
        raise ExpansionDeferred(f'field-extract in sort: "{shown}"') from None
    except ExpansionFailed:
        pass
    raise ExpansionFailed(f'field-extract in sort: "{shown}"')


def _compares(numeric: Callable[[int, int], bool], left: str, right: str) -> bool:
    """What is no number sorts before nothing."""
    try:
        return numeric(integer(left), integer(right))
    except ExpansionFailed:
        return False


def _comparison(named: str) -> Comparison:
    """By the operator or the condition's name that `named` begins with. Raises ExpansionFailed."""
    word = found.group() if (found := _COMPARATOR.match(named)) else ""
    if numeric := _NUMBERS.get(word):
        return lambda left, right: _compares(numeric, left, right)
    if word != "eq" and (textual := TEXTS.get(word)):
        return lambda left, right: textual(octets(left), octets(right))
    if word.endswith("i") and (folded := FOLDED.get(word[:-1])):
        return folded
    if word in CONDITIONS:
        raise ExpansionFailed("comparator not handled for sort")
    raise ExpansionFailed("" if word else f'condition name expected, but found "{named[:16]}"')
