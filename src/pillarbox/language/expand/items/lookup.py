"""`${lookup{key}type{file}{yes}{no}}` and `${lookup type {query}{yes}{no}}` (Exim 11.5, chapter 9).

Without strings the result is what was found, or nothing. Known gaps: `partial-` types, `*` and `*@` defaults, options behind the type.
"""

from __future__ import annotations

import re

from pillarbox.language.expand.branches import choose, parse_branches, value_node
from pillarbox.language.expand.lookup import LookupQuestion
from pillarbox.language.expand.nodes import Node, literal
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.registry import item
from pillarbox.language.expand.scope import Scope

_KIND = re.compile(r"\s*([A-Za-z][A-Za-z0-9-]*)\s*")


@item("lookup")
def parse_lookup(parser: Parser) -> Node:
    at = parser.position
    key = parser.optional_braced("lookup")
    found = _KIND.match(parser.source, parser.position)
    if not found:
        raise parser.fail('missing lookup type for "lookup"')
    parser.position = found.end()
    kind = found.group(1)
    source = parser.braced("lookup")
    branches = parse_branches(parser, "lookup", value_node(at))
    key_of = (key or source).evaluate
    source_of = source.evaluate if key is not None else literal("", at).evaluate

    def evaluate(scope: Scope) -> str:
        captures = scope.captures
        answer = scope.ask(LookupQuestion(kind, key_of(scope), source_of(scope)))
        try:
            return choose(branches, answer, scope)
        finally:
            scope.captures = captures

    children = [source, *branches] if key is None else [key, source, *branches]
    return Node("lookup", at, evaluate, children, is_pure=False)
