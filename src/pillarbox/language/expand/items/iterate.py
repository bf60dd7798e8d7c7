"""Items that go through a list with `$item`: `${map}`, `${filter}`, `${reduce}` (Exim 11.5).

Bounded: elements of one list. Known gap: `${sort}`.
"""

from __future__ import annotations

from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.lists import elements, joined
from pillarbox.language.expand.nodes import Node, bounded
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.registry import item
from pillarbox.language.expand.scope import Scope

MAX_ELEMENTS = 10_000


def list_elements(text: str) -> list[str]:
    found = elements(text)
    if len(found) > MAX_ELEMENTS:
        raise ExpansionFailed(f"a list has more than {MAX_ELEMENTS} elements")
    return found


@item("map")
def parse_map(parser: Parser) -> Node:
    at = parser.position
    source, body = parser.braced_arguments("map", 2, 2)

    def evaluate(scope: Scope) -> str:
        text, outer = source.evaluate(scope), scope.item
        results: list[str] = []
        try:
            for scope.item in list_elements(text):
                results.append(body.evaluate(scope))  # noqa: PERF401: the loop variable is the scope's
        finally:
            scope.item = outer
        return bounded(joined(results, text))

    return Node("map", at, evaluate, [source, body])


@item("filter")
def parse_filter(parser: Parser) -> Node:
    at = parser.position
    source = parser.braced("filter")
    parser.skip_space()
    parser.expect("{", 'missing { for the condition of "filter"')
    kept = parser.condition()
    parser.skip_space()
    parser.expect("}", 'missing } behind the condition of "filter"')

    def evaluate(scope: Scope) -> str:
        text, outer = source.evaluate(scope), scope.item
        results: list[str] = []
        try:
            for scope.item in list_elements(text):
                if kept.test(scope):
                    results.append(scope.item)
        finally:
            scope.item = outer
        return joined(results, text)

    return Node("filter", at, evaluate, [source, kept])


@item("reduce")
def parse_reduce(parser: Parser) -> Node:
    at = parser.position
    source, start, body = parser.braced_arguments("reduce", 3, 3)

    def evaluate(scope: Scope) -> str:
        text, outer, outer_value = source.evaluate(scope), scope.item, scope.value
        result = start.evaluate(scope)
        try:
            for scope.item in list_elements(text):
                scope.value = result
                result = bounded(body.evaluate(scope))
        finally:
            scope.item, scope.value = outer, outer_value
        return result

    return Node("reduce", at, evaluate, [source, start, body])
