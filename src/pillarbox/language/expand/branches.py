"""`{yes}{no}` behind a condition, a lookup or an extraction (Exim 11.5, 11.7).

Either may be missing; `fail` in place of the second forces the expansion to fail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pillarbox.language.expand.errors import ForcedFailure
from pillarbox.language.expand.nodes import Node, literal
from pillarbox.language.expand.scope import Scope

if TYPE_CHECKING:
    from pillarbox.language.expand.parser import Parser


class Branches(NamedTuple):
    yes: Node
    no: Node


def parse_branches(parser: Parser, owner: str, otherwise: Node) -> Branches:
    """`otherwise` is the first branch when there are none."""
    parser.skip_space()
    at = parser.position
    if parser.peek() == "}":
        return Branches(otherwise, literal("", at))
    if parser.peek() != "{":
        raise parser.fail_curly("'yes' part did not start with '{'")
    yes = parser.braced(owner)
    no = parser.optional_braced(owner)
    parser.skip_space()
    at = parser.position
    closing = "did not close with '}'"
    if no is None and parser.peek() != "}":
        if parser.name() != "fail":
            raise parser.fail(f'syntax error in "{owner}" item - "fail" expected', at)
        no = _failing(owner, at)
        closing += " after forcedfail"
        parser.skip_space()
    if parser.peek() != "}":
        raise parser.fail_curly(closing)
    return Branches(yes, literal("", at) if no is None else no)


def value_node(position: int) -> Node:
    """`$value`."""
    return Node("$value", position, lambda scope: scope.value)


def choose(branches: Branches, value: str | None, scope: Scope) -> str:
    """The first branch with `$value` set when there is a value, else the second."""
    if value is None:
        return branches.no.evaluate(scope)
    outer = scope.value
    scope.value = value
    try:
        return branches.yes.evaluate(scope)
    finally:
        scope.value = outer


def _failing(owner: str, position: int) -> Node:
    def evaluate(scope: Scope) -> str:
        raise ForcedFailure(f'"{owner}" failed and "fail" requested')

    return Node("fail", position, evaluate)
