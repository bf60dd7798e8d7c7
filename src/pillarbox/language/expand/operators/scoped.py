"""Operators that need more than their text: the scope (`listnamed`, `expand`), or whether the text is tainted (`eval`).

To the parser they are items whose name is followed by a colon.
"""

from __future__ import annotations

from collections.abc import Callable

from pillarbox.language.expand import registry
from pillarbox.language.expand.nodes import Node
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.references import IN_BRACES, reference
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.taint import like

ScopeOperator = Callable[[str, Scope], str]


def scope_operator(
    name: str, *, is_pure: bool = True, untaints: bool = False
) -> Callable[[ScopeOperator], ScopeOperator]:
    """Declare `${name:text}`, a function of text and scope, called at each expansion with the text as tainted as it is.

    `is_pure`: it never waits.
    """

    def register(apply: ScopeOperator) -> ScopeOperator:
        def parse(parser: Parser) -> Node:
            at = parser.position
            if not parser.take(":"):
                return _no_operator(parser, name, at)
            operand = parser.operand()
            text_of = operand.evaluate

            def evaluate(scope: Scope) -> str:
                text = text_of(scope)
                return apply(text, scope) if untaints else like(apply(text, scope), text)

            return Node(
                name,
                at,
                evaluate,
                [operand],
                is_pure=is_pure,
                may_taint=not untaints,
            )

        registry.item(name)(parse)
        registry.SCOPED_OPERATORS.add(name)
        return apply

    return register


def _no_operator(parser: Parser, name: str, at: int) -> Node:
    if parser.peek() == "}":
        return reference(name, at, IN_BRACES)
    raise parser.fail(f'"${{{name}" is not a known operator (or a }} is missing in a variable reference)', at)
