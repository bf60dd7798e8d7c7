"""`${env{NAME}{yes}{no}}`: a variable of the environment, as `keep_environment` and `add_environment` leave it (Exim 11.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pillarbox.language.expand.branches import choose, parse_branches, value_node
from pillarbox.language.expand.nodes import Node
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.registry import item
from pillarbox.language.expand.scope import Scope


class Environment(NamedTuple):
    """The variables that expansions and commands may see: a facet of every scope; none when it is absent."""

    variables: Mapping[str, str]


def _name(parser: Parser) -> Node:
    """Without a brace there is no name, and Exim has no words for that."""
    parser.skip_space()
    if parser.peek() != "{":
        raise parser.fail("")
    return parser.braced("env")


@item("env")
def parse_env(parser: Parser) -> Node:
    at = parser.position
    name = _name(parser)
    branches = parse_branches(parser, "env", value_node(at))

    def evaluate(scope: Scope) -> str:
        environment = scope.facet(Environment)
        known = environment.variables if environment else {}
        return choose(branches, known.get(name.evaluate(scope).strip()), scope)

    return Node("env", at, evaluate, [name, *branches])
