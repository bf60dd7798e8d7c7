"""`${if <condition> {yes}{no}}` (Exim 11.5): without strings it gives `true` or nothing.

Captures of a match in the condition hold in the strings and are gone behind them.
"""

from __future__ import annotations

from pillarbox.language.expand.branches import parse_branches
from pillarbox.language.expand.nodes import Node, literal
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.registry import item
from pillarbox.language.expand.scope import Scope


@item("if")
def parse_if(parser: Parser) -> Node:
    at = parser.position
    tested = parser.condition()
    branches = parse_branches(parser, "if", literal("true", at))
    test, yes, no = tested.test, branches.yes.evaluate, branches.no.evaluate

    def evaluate(scope: Scope) -> str:
        captures, value = scope.captures, scope.value
        try:
            return yes(scope) if test(scope) else no(scope)
        finally:
            scope.captures, scope.value = captures, value

    return Node("if", at, evaluate, [tested, *branches])
